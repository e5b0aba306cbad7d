"""An independent computation of every per-person number, in pandas, from exported rows.

It shares no code with the product: nothing here may import one of its packages. Start reading at `definitions`.
"""
