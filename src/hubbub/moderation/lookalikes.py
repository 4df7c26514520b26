"""Letters of other scripts that look like Latin ones, and what is written in the place of letters. Pure.

The pairs are those of Unicode's confusables (UTS #39, `confusables.txt`) that join a letter of a script with capitals
to one Latin letter, and the other case of each. What compatibility decomposition makes Latin by itself (full width,
mathematical letters) is not among them.
"""

from __future__ import annotations

ALIKE = {
    "a": "ΑαАаᎪᗅꓮꭺ𐊠𖽀",
    "b": "ΒβВЬвьᏏᏴᏼᑲᖯᗷꓐꮟ𐊂𐊡𐌁",
    "c": "ϲϹСсᏟⲤⲥꓚꮯ𐊢𐌂𐐕𐐽𐔜𑣩𑣲",
    "d": "ԀԁᎠᏧᑯᗞᗪꓒꓓꭰꮷ",
    "e": "ΕεЕеҼҽᎬⴹꓰꭼ𐊆𑢦𑢮𑣆𑣎",
    "f": "ϜϝՔքᖴꓝ𐊇𐊥𐔥𑢢𑣂𝈓",
    "g": "ԌԍՑցᏀᏳᏻꓖꮐ",
    "h": "ΗηНнҺһՀհᎻᏂᕼⲎⲏꓧꮋꮒ𐋏",
    "i": "ιіӏᎥιꙆꙇꭵ𑣃",
    "j": "ͿϳЈјᎫᒍꓙꭻ",
    "k": "ΚκКкᏦᛕⲔⲕꓗꮶ𐔘",
    "l": "ΙІӀᏞᒪᛁⲒⲓⳐⳑⵏꓡꓲꮮ𐊊𐌉𐌠𐐛𐑃𐔦𑢣𑢲𑣒𖼖𖼨𝈪",
    "m": "ΜμϺϻМмᎷᗰᛖⲘⲙꓟꮇ𐊰𐌑",
    "n": "ΝՈՌոռⲚⲛꓠ𐔓",
    "o": "ΟΣοσОоՕօჿᲿⲞⲟⵔꓳ𐊒𐊫𐐄𐐬𐓂𐓪𐔖𑢨𑢵𑢷𑣈𑣕𑣗𑣠",
    "p": "ΡρϱРрᏢᑭⲢⲣꓑꮲ𐊕",
    "q": "ԚԛԳԶգզⵕ",
    "r": "ГгᎡᎱᏒᖇᴦⲄⲅꓣꭱꮁꮢ𐒴𐓜𖼵𝈖",
    "s": "ЅѕՏտᏕᏚꓢꮥꮪ𐊖𐐠𐑈𑢡𑣁𖼺",
    "t": "ΤτТтᎢⲦⲧꓔꭲ𐊗𐊱𐌕𑢼𖼊",
    "u": "υՍսᑌꓴ𐓎𐓶𑢸𑣘𖽂",
    "v": "νѴѵᏙᐯⴸꓦꛟꮩ𐔝𑢠𑣀𖼈𝈍",
    "w": "ωѠѡԜԝԱաᎳᏔꓪꮃꮤ𑣦𑣯",
    "x": "ΧχХхᕁᕽ᙭᙮ᚷⲬⲭⵝꓫ𐊐𐊴𐌗𐌢𐔧𑣬",
    "y": "ΓΥγϒУуҮүყᎩᎽᲧⲨⲩꓬꭹꮍ𐊲𑢤𑣜𖽃",
    "z": "ΖζᏃꓜꮓ𐋵𑢩𑣄𑣉𑣥",
}
"""By the Latin letter, all that looks like it in either case."""

LATIN: dict[str, str] = {sign: letter for letter, signs in ALIKE.items() for sign in signs}

LEET: dict[str, str] = {
    "0": "o",
    "1": "il",
    "2": "z",
    "3": "e",
    "4": "a",
    "5": "s",
    "6": "g",
    "7": "t",
    "8": "b",
    "9": "g",
    "@": "a",
    "$": "s",
    "!": "i",
    "|": "il",
    "+": "t",
    "€": "e",
    "¢": "c",
    "¥": "y",
    "I": "l",
}
"""What letters each of these may stand for, beside itself."""
