"""The demo shop 示例电商: a seeded story of half a year, told as people and events. Pure numpy and pandas."""
