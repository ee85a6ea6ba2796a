"""Character classes of the scripts that are written without spaces, for the brackets of a regular expression."""

HAN = "\u3005\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
"""Ideographs, with 々 and 〇, which stand among them as one."""
HIRAGANA = "\u3041-\u309f"
KATAKANA = "\u30a1-\u30fa\u30fc-\u30ff\u31f0-\u31ff\uff66-\uff9f\U0001aff0-\U0001b16f"
KANA = HIRAGANA + KATAKANA
HANGUL = "\u1100-\u11ff\u3131-\u318e\ua960-\ua97c\uac00-\ud7fb\uffa1-\uffdc"
CJK = f"{HAN}\u2e80-\u2fdf\u3021-\u3029\u3038-\u303b{KANA}{HANGUL}"
"""Every character that the index of words cuts into single characters and pairs; a change here needs a reindex."""
UNSPACED = "\u0e01-\u0e4e\u0e81-\u0ece\u1000-\u103f\u1780-\u17d3"
"""Thai, Lao, Burmese and Khmer, with their marks, which are cut likewise."""
