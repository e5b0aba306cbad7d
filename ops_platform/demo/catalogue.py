"""What the shop sells and what its people are called. Every name is invented."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ops_platform.demo.days import day


@dataclass(frozen=True)
class Source:
    """Where people come from: head count, chance to buy and to come again, day-30 return, cost per head in yuan."""

    name: str
    people: int
    buys: float
    repeats: float
    day30: float
    spend: float = 0
    reward: float = 0


SOURCES = (
    Source("自然", 5200, 1.1, 1.05, 0.17),
    Source("信息流B", 3400, 0.09, 0.025, 0.05, spend=18),
    Source("老带新", 2900, 0.62, 0.55, 0.29, reward=22),
    Source("小红书", 2600, 1.15, 1.05, 0.19, spend=15),
    Source("信息流A", 2000, 0.75, 0.6, 0.11, spend=24),
    Source("公众号", 1900, 1.25, 1.35, 0.21, spend=3),
    Source("地推", 1200, 0.65, 0.45, 0.08, spend=26),
    Source("换量", 800, 0.3, 0.15, 0.03, spend=6),
)
SOURCE_NAMES = np.array([s.name for s in SOURCES], object)
REFERRAL = 2
FEED_B = 1

CATEGORIES = np.array(["美妆", "护肤", "零食", "生鲜", "粮油", "日用", "母婴", "饮料"], object)
CATEGORY_SHARES = np.array([0.2, 0.14, 0.17, 0.15, 0.09, 0.13, 0.05, 0.07])
BEAUTY = 0
CATEGORY_PRICE = np.array([69.0, 118.0, 26.0, 38.0, 56.0, 32.0, 98.0, 24.0])
SKUS_PER_CATEGORY = 40
SEARCHES = (
    ("口红", "粉底液", "眼影盘", "散粉"),
    ("面膜", "防晒霜", "洗面奶", "精华"),
    ("坚果", "薯片", "巧克力", "肉脯"),
    ("车厘子", "牛排", "鲜奶", "三文鱼"),
    ("大米", "橄榄油", "面粉", "酱油"),
    ("洗衣液", "抽纸", "牙膏", "垃圾袋"),
    ("纸尿裤", "奶粉", "湿巾", "辅食"),
    ("气泡水", "咖啡", "燕麦奶", "果汁"),
)
PROVIDERS = np.array(["wechatpay", "alipay", "quickpay"], object)
PROVIDER_SHARES = np.array([0.52, 0.36, 0.12])
FAILING_PROVIDER = 2
FAIL_REASONS = np.array(["insufficient_funds", "timeout", "cancelled", "risk_control"], object)
REFUND_REASONS = np.array(["不想要了", "与描述不符", "质量问题", "发货太慢", "拍错了"], object)
TOPICS = np.array(["物流慢", "商品破损", "退款未到账", "优惠券不能用", "错发漏发", "会员权益"], object)
COUPON_KINDS = ("", "general", "targeted")
EARNED_BY = np.array(["check_in", "points", "newcomer", "task", "campaign"], object)
PLANS = (("月卡", "12.80"), ("季卡", "29.80"), ("年卡", "88.00"))

# (version, first day). 5.3.0 crashed at the Android checkout and was pulled on 04-20.
RELEASES = (
    ("5.0.0", -60),
    ("5.1.0", day(3, 20)),
    ("5.2.4", day(4, 3)),
    ("5.3.0", day(4, 13)),
    ("5.3.1", day(4, 20)),
    ("5.4.0", day(5, 22)),
    ("5.5.0", day(6, 9)),
    ("5.6.0", day(7, 14)),
    ("5.7.0", day(8, 18)),
)
VERSIONS = np.array([name for name, _ in RELEASES], object)
RELEASE_DAYS = np.array([first for _, first in RELEASES])
BROKEN_VERSION = 3

CITIES = (
    ("上海", 9), ("北京", 8), ("广州", 7), ("深圳", 7), ("杭州", 7), ("成都", 7), ("武汉", 5), ("南京", 5), ("重庆", 5),
    ("苏州", 4), ("西安", 4), ("长沙", 4), ("郑州", 3), ("天津", 3), ("青岛", 3), ("宁波", 3), ("合肥", 3), ("厦门", 2),
    ("福州", 2), ("济南", 2), ("昆明", 2), ("沈阳", 2), ("佛山", 2), ("无锡", 2), ("南昌", 1), ("贵阳", 1), ("大连", 1),
)  # fmt: skip
SURNAMES = (
    "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林罗高郑梁谢宋唐许韩冯邓曹彭曾肖田董袁潘蒋蔡余"
    "杜叶程苏魏吕丁任沈姚卢姜崔钟谭陆汪范金石廖贾夏韦付方白邹孟熊秦邱江尹薛闫段雷侯龙"
    "史陶黎贺顾毛郝龚邵万"
)
GIVEN_FEMALE = "婷雪静敏丽艳娟颖琳佳慧怡欣妍萱涵雨欢悦洁莹蕾璐瑶琪薇梦思若诗语晴岚"
GIVEN_MALE = "伟强磊军洋勇杰涛超明刚平辉鹏华飞鑫波斌宇浩凯健俊帆帅旭宁龙林博轩泽"
GIVEN_ANY = "子文一天晓小嘉可安乐然辰星云清远"
