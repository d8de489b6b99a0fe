"""Chinese verbs for the actions of `concepts`: which role each puts where, and how each takes aspect."""

from __future__ import annotations

from typing import NamedTuple

from harness.data.synthetic.concepts import ALL_ACTIONS

VERBS: dict[str, tuple[str, ...]] = {
    "sell": ("!卖给 agent partner patient", "!买 partner 从~那里:agent patient"),
    "give": (
        "!送给 agent partner patient",
        "!交给 agent partner patient",
        "!收到 partner 从~那里:agent patient",
    ),
    "lend": ("!借给 agent partner patient", "!借 partner 从~那里:agent patient"),
    "show": ("展示 agent 向~:partner patient",),
    "send": ("!寄给 agent partner patient",),
    "throw": ("!扔给 agent partner patient", "!抛给 agent partner patient"),
    "teach": ("教导 agent patient", "指导 agent patient", "学习 patient 跟~:agent"),
    "lead": ("带领 agent patient", "引导 agent patient", "跟随 patient agent"),
    "beat": ("!打败 agent patient", "!战胜 agent patient", "!输给 patient agent"),
    "employ": ("*雇用 agent patient", "*聘用 agent patient", "*工作 patient 为~:agent"),
    "meet": (
        "!遇见 agent patient",
        "!碰到 agent patient",
        "!遇见 patient agent",
        "!碰到 patient agent",
    ),
    "marry": (
        "!结+婚 agent 和~:patient",
        "!成+婚 agent 和~:patient",
        "!结+婚 patient 和~:agent",
        "!成+婚 patient 和~:agent",
    ),
    "hug": ("拥抱 agent patient",),
    "chase": ("追赶 agent patient", "追逐 agent patient", "!逃离 patient agent"),
    "help": ("帮助 agent patient", "协助 agent patient"),
    "thank": ("感谢 agent patient",),
    "greet": ("问候 agent patient", "欢迎 agent patient"),
    "invite": ("邀请 agent patient",),
    "call": ("打+电话 agent 给~:patient",),
    "visit": ("拜访 agent patient", "探望 agent patient"),
    "praise": ("表扬 agent patient", "称赞 agent patient"),
    "criticize": ("批评 agent patient", "责备 agent patient"),
    "love": ("*爱 agent patient",),
    "hate": ("*恨 agent patient", "*憎恨 agent patient"),
    "trust": ("*信任 agent patient", "*信赖 agent patient"),
    "distrust": ("*怀疑 agent patient", "*猜疑 agent patient"),
    "open": ("!打开 agent patient",),
    "close": ("!关上 agent patient",),
    "find": ("!找到 agent patient", "!发现 agent patient"),
    "lose": ("!弄丢 agent patient", "!丢失 agent patient"),
    "repair": ("修理 agent patient", "维修 agent patient"),
    "damage": ("!损坏 agent patient", "!弄坏 agent patient"),
    "build": ("建造 agent patient", "造 agent patient"),
    "destroy": ("!毁掉 agent patient", "!摧毁 agent patient"),
    "push": ("推 agent patient",),
    "pull": ("拉 agent patient",),
    "drag": ("拖 agent patient", "拖拽 agent patient"),
    "hide": ("!藏起 agent patient", "隐藏 agent patient"),
    "display": ("陈列 agent patient", "展出 agent patient"),
    "accept": ("!接受 agent patient",),
    "refuse": ("!拒绝 agent patient", "!回绝 agent patient"),
    "catch": ("!抓住 agent patient", "!捉住 agent patient"),
    "release": ("!放走 agent patient", "!释放 agent patient"),
    "eat": ("吃 agent patient", "!吃掉 agent patient"),
    "devour": ("吞食 agent patient", "!吞下 agent patient"),
    "cook": ("烹制 agent patient", "烹饪 agent patient"),
    "wash": ("洗 agent patient", "清洗 agent patient"),
    "paint": ("漆 agent patient", "油漆 agent patient"),
    "write": ("写 agent patient", "撰写 agent patient"),
    "read": ("读 agent patient", "阅读 agent patient"),
    "carry": ("搬运 agent patient", "运送 agent patient"),
    "watch": ("观察 agent patient", "注视 agent patient"),
    "steal": ("!偷走 agent patient", "偷 agent patient"),
    "feed": ("喂 agent patient", "喂养 agent patient"),
    "train": ("训练 agent patient",),
    "cut": ("切 agent patient",),
    "cut tree": ("砍 agent patient",),
    "sleep": ("睡+觉 agent",),
    "doze": ("打+盹 agent",),
    "move": ("移动 agent",),
    "run": ("奔跑 agent",),
    "sprint": ("冲刺 agent",),
    "walk": ("行走 agent",),
    "stroll": ("散+步 agent",),
    "swim": ("游+泳 agent",),
    "laugh": ("笑 agent",),
    "giggle": ("傻笑 agent",),
    "cry": ("哭 agent", "哭泣 agent"),
    "sob": ("啜泣 agent", "抽泣 agent"),
    "work": ("工作 agent",),
    "rest": ("休息 agent",),
    "arrive": ("!到达 agent", "!抵达 agent"),
    "leave": ("!离开 agent",),
    "shout": ("喊叫 agent", "叫喊 agent"),
    "whisper": ("低语 agent",),
    "sing": ("唱+歌 agent",),
    "dance": ("跳+舞 agent",),
    "apologize": ("道+歉 agent 向~:partner",),
    "boast": ("吹嘘 agent 向~:partner", "夸耀 agent 向~:partner"),
    "wait": ("等待 agent", "等候 agent"),
    "examine": ("检查 agent patient", "查看 agent patient"),
    "rescue": ("营救 agent patient", "救援 agent patient"),
    "interview": ("采访 agent patient",),
    "escort": ("护送 agent patient", "陪同 agent patient"),
    "load": ("装+货 agent 给~:patient",),
    "unload": ("卸+货 agent 给~:patient",),
    "steer": ("驾驶 agent patient", "操纵 agent patient"),
    "photograph": ("拍摄 agent patient",),
    "ship": ("!运给 agent partner patient",),
    "perform": ("表演 agent", "演出 agent"),
    "board": ("!登上 agent patient",),
}
"""Per action its ways of saying: verb, role of the subject, roles after the verb, and with `~` those before it.

What follows `+` stands behind 了 as the object does; `*` is a state of affairs, `!` is over at once, neither of which
goes with 正在. A key of two words is for patients of that kind.
"""


class Verb(NamedTuple):
    head: str
    tail: str
    stative: bool
    lasting: bool
    subject: str
    objects: tuple[str, ...]
    frame: str
    oblique: str


def _verb(entry: str) -> Verb:
    word, subject, *roles = entry.split()
    head, _, tail = word.lstrip("*!").partition("+")
    frame, _, oblique = next((role for role in roles if ":" in role), ":").partition(":")
    objects = tuple(role for role in roles if ":" not in role)
    return Verb(head, tail, word[0] == "*", word[0] not in "*!", subject, objects, frame, oblique)


VERBS_OF: dict[str, tuple[Verb, ...]] = {key: tuple(map(_verb, entries)) for key, entries in VERBS.items()}
assert ALL_ACTIONS.keys() <= VERBS_OF.keys()
