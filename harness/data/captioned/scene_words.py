"""The words for shapes, colours, sizes and places, in three languages."""

from __future__ import annotations

from harness.data.captioned.grammar import Lexicon

SCENE_WORDS = {
    "en": Lexicon(
        kinds={
            "circle": "circle circles",
            "square": "square squares",
            "triangle": "triangle triangles",
            "star": "star stars",
            "cross": "cross crosses",
            "ring": "ring rings",
            "diamond": "diamond diamonds",
            "heart": "heart hearts",
            "": "shape shapes",
        },
        adjectives={
            key: key
            for key in (
                *("red", "green", "blue", "yellow", "orange", "purple", "white", "black"),
                *("small", "large"),
            )
        },
        relations={
            "left": ("{0} left of {1}", "{0} to the left of {1}"),
            "right": ("{0} right of {1}", "{0} to the right of {1}"),
            "above": ("{0} above {1}", "{0} over {1}"),
            "below": ("{0} below {1}", "{0} under {1}"),
            "": ("{0} and {1}",),
        },
        frames=("a picture of {0}",),
    ),
    "fr": Lexicon(
        kinds={
            "circle": "m cercle cercles",
            "square": "m carré carrés",
            "triangle": "m triangle triangles",
            "star": "f étoile étoiles",
            "cross": "f croix croix",
            "ring": "m anneau anneaux",
            "diamond": "m losange losanges",
            "heart": "m cœur cœurs",
            "": "f forme formes",
        },
        adjectives={
            "red": "rouge rouge rouges rouges",
            "green": "vert verte verts vertes",
            "blue": "bleu bleue bleus bleues",
            "yellow": "jaune jaune jaunes jaunes",
            "orange": "orange",
            "purple": "violet violette violets violettes",
            "white": "blanc blanche blancs blanches",
            "black": "noir noire noirs noires",
            "small": "petit petite petits petites",
            "large": "grand grande grands grandes",
        },
        before=frozenset(("small", "large")),
        relations={
            "left": ("{0} à gauche de {1}",),
            "right": ("{0} à droite de {1}",),
            "above": ("{0} au-dessus de {1}",),
            "below": ("{0} sous {1}", "{0} au-dessous de {1}"),
            "": ("{0} et {1}",),
        },
        frames=("une image de {0}",),
    ),
    "zh": Lexicon(
        kinds={
            "circle": "个 圆形",
            "square": "个 正方形",
            "triangle": "个 三角形",
            "star": "颗 星星",
            "cross": "个 十字",
            "ring": "个 圆环",
            "diamond": "个 菱形",
            "heart": "颗 爱心",
            "": "个 图形",
        },
        adjectives={
            "red": "红色的",
            "green": "绿色的",
            "blue": "蓝色的",
            "yellow": "黄色的",
            "orange": "橙色的",
            "purple": "紫色的",
            "white": "白色的",
            "black": "黑色的",
            "small": "小",
            "large": "大",
        },
        qualities_first=True,
        relations={
            "left": ("{0}在{1}的左边", "{0}在{1}左侧"),
            "right": ("{0}在{1}的右边", "{0}在{1}右侧"),
            "above": ("{0}在{1}的上面", "{0}在{1}上方"),
            "below": ("{0}在{1}的下面", "{0}在{1}下方"),
            "": ("{0}和{1}",),
        },
        frames=("图中有{0}",),
    ),
}
