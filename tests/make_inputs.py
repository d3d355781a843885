#!/usr/bin/env python3
"""Writes the inputs of the tests into a folder, for one seed always the same bytes.

    python3 tests/make_inputs.py FOLDER [--seed N]

The files have the names, columns and oddities of recorded ones that exist, so a test that reads these can also be given
those: the clicks of an article-sharing app, a game's telemetry, clicks on short links, reviews in Korean, naughty
strings, JSON that is valid and JSON that is not. All that stands in them is made up here. Standard library only.
"""
import argparse
import csv
import datetime
import gzip
import io
import json
import pathlib
import random

DESKDROP_ROWS = 20_000
WAVES_ROWS = 4_000
USAGOV_ROWS = 2_000
REVIEWS = 2_000
BROKEN_BY_CHANGE = 200  # JSON documents that a change of some bytes made invalid

# --- words -----------------------------------------------------------------------------------------------------------

BEGINS = ["b", "br", "d", "dr", "f", "g", "gl", "h", "k", "l", "m", "n", "p", "pl", "r", "s", "st", "t", "v", "z"]
VOWELS = ["a", "e", "i", "o", "u", "ai", "ou", "é", "ø"]
ENDS = ["", "", "", "l", "n", "r", "s", "nd", "rk"]
EMOJI = ["😀", "🙃", "👍🏽", "👩‍🚀", "❤️", "🇰🇷", "🐙", "🎬", "☔", "🫠"]


def word(dice, ascii_only=False):
    vowels = VOWELS[:7] if ascii_only else VOWELS
    return "".join(dice.choice(BEGINS) + dice.choice(vowels) + dice.choice(ENDS) for _ in range(dice.randint(1, 3)))


def words(dice, count):
    return [word(dice, ascii_only=True) for _ in range(count)]


def hangul(dice):
    return "".join(chr(dice.randint(0xAC00, 0xD7A3)) for _ in range(dice.randint(1, 5)))


def often_the_first(dice, things):
    """One of the things; the earlier it stands, the more often."""
    return things[int(len(things) * dice.random() ** 3)]


def user_agent(dice):
    """What a browser says of itself: long, with commas, semicolons, brackets and sometimes quotes."""
    name, system, engine = (part.capitalize() for part in words(dice, 3))
    said = f"{name}/{dice.randint(1, 99)}.{dice.randint(0, 9)} ({system} {dice.randint(1, 14)}_{dice.randint(0, 9)}; " \
           f"{word(dice, True)} {dice.randint(10, 99)}) {engine}/{dice.randint(100, 999)}.{dice.randint(0, 99)} " \
           f"({word(dice, True).upper()}, as {word(dice, True).capitalize()})"
    return said + f' "{word(dice, True)}, {dice.randint(1, 9)}"' if dice.random() < 0.1 else said


def signed_64_bit(dice):
    return str(dice.getrandbits(64) - 2 ** 63)


# --- rows ------------------------------------------------------------------------------------------------------------

def deskdrop(dice):
    """A narrow CSV. Not sorted by time, ids that no double holds, empty columns, and rows that stand there twice."""
    agents = [user_agent(dice) for _ in range(300)]
    regions = [word(dice, True)[:2].upper() for _ in range(40)] + ["?"]
    countries = [word(dice, True)[:2].upper() for _ in range(20)]
    contents = [signed_64_bit(dice) for _ in range(900)]
    people = [signed_64_bit(dice) for _ in range(600)]
    sessions = [(signed_64_bit(dice), often_the_first(dice, people), dice.randint(1_600_000_000, 1_630_000_000))
                for _ in range(DESKDROP_ROWS // 3)]
    kinds = ["VIEW"] * 17 + ["LIKE", "SAVE FOR LATER", "FOLLOW"]
    rows = []
    for _ in range(DESKDROP_ROWS - 20):
        session, person, began = often_the_first(dice, sessions)
        place = [often_the_first(dice, agents), often_the_first(dice, regions), often_the_first(dice, countries)]
        if dice.random() < 0.2:
            place = ["", "", ""]
        elif dice.random() < 0.1:
            place = [f"{word(dice, True).capitalize()} app", "", ""]
        rows.append([str(began + dice.randint(0, 3000)), dice.choice(kinds), often_the_first(dice, contents), person,
                     session, *place])
    for row in dice.sample(rows, DESKDROP_ROWS - len(rows)):
        rows.insert(dice.randrange(len(rows)), row)
    header = ["timestamp", "eventType", "contentId", "personId", "sessionId", "userAgent", "userRegion", "userCountry"]
    return table([header] + rows, ",")


def waves(dice):
    """A wide TSV. One column has a JSON object in quotes, and that has members of all kinds, nested ones too."""
    header = ["row", "session_id", "app_id", "timestamp", "event_name", "event_data", "event_source", "app_version",
              "app_branch", "log_version", "offset", "user_id", "user_data", "game_state", "index"]
    rows = [header]
    sliders = words(dice, 3)
    questions = [" ".join(words(dice, 4)) + "?" for _ in range(12)]

    def measured():
        return dice.uniform(-1000, 1000)  # written with 15 digits and more

    moment = datetime.datetime(2021, 3, 1)
    while len(rows) <= WAVES_ROWS:
        session, agent, level = f"21{dice.randrange(10 ** 15):015}", user_agent(dice), 0
        for index in range(dice.randint(40, 160)):
            moment += datetime.timedelta(milliseconds=dice.choice([0, 1000, dice.randint(1, 9000)]))
            data = {"http_user_agent": agent, "level": level, "persistent_session_id": session,
                    "server_time": (moment - datetime.timedelta(hours=6)).strftime("%Y-%m-%dT%H:%M:%S"),
                    "nothing": None}
            kind = dice.choice(["BEGIN", "CUSTOM", "CUSTOM", "CUSTOM", "FAIL", "SUCCEED", "COMPLETE"])
            if kind == "CUSTOM" and dice.random() < 0.7:
                data.update(slider=dice.choice(sliders).upper(), wave=dice.choice(["ours", "theirs"]), ticks=index,
                            began_at=measured(), ended_at=measured(),
                            deviation=dice.random() * 10.0 ** -dice.randint(0, 9))
            elif kind == "CUSTOM":
                data.update(question=dice.choice(questions), given=words(dice, 2), right=dice.random() < 0.5)
            elif kind in ("FAIL", "SUCCEED"):
                data["shape"] = {"height": measured(), "ours": {"length": measured(), "word": word(dice)}, "theirs": {}}
            elif kind == "COMPLETE":
                level += 1
            members = json.dumps(dict(sorted(data.items())), ensure_ascii=dice.random() < 0.5)
            # A time on the full second has no fraction.
            rows.append([str(len(rows) - 1), session, "MADE", str(moment), f"{kind}.{dice.randint(0, 6)}", members,
                         "GAME", str(dice.randint(0, 3)), "None", "4", "None", "", "{}", "{}", str(index)])
    return table(rows[:WAVES_ROWS + 1], "\t")


def table(rows, delimiter):
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, lineterminator="\n").writerows(rows)
    return text.getvalue()


def usagov(dice):
    """JSON lines. Some are heartbeats and no clicks, a fifth of the clicks lacks members, the last line is empty."""
    cities = [word(dice).capitalize() + dice.choice(["", " " + word(dice).capitalize()]) for _ in range(300)]
    agents = [user_agent(dice) for _ in range(200)]
    lines = []
    for number in range(USAGOV_ROWS):
        now = 1_500_000_000 + number + dice.randint(-30, 30)
        if number % 30 == 10:
            lines.append(f'{{"_heartbeat_": {now}}}')
            continue
        link = f"{dice.getrandbits(30):06x}"
        click = {"a": often_the_first(dice, agents), "c": word(dice, True)[:2].upper(), "nk": dice.randint(0, 1),
                 "tz": f"{word(dice, True).capitalize()}/{word(dice, True).capitalize()}",
                 "gr": f"{dice.randint(1, 99):02}", "g": link, "h": link, "l": word(dice, True), "al": "xx-YY,xx;q=0.8",
                 "hh": "s.example",
                 "r": "direct" if dice.random() < 0.45 else f"http://{word(dice, True)}.example/{link}",
                 "u": f"http://www.{word(dice, True)}.example/" + "/".join(words(dice, dice.choice([1, 2, 3, 90]))),
                 "t": now, "hc": now - dice.randint(0, 10 ** 7), "cy": dice.choice(cities)}
        for name in ("al", "kw", "tz"):
            if dice.random() < 0.1:
                click.pop(name, None)
        if dice.random() < 0.05:
            click["kw"] = word(dice)
        line = json.dumps(click, ensure_ascii=dice.random() < 0.5)
        if dice.random() < 0.8:
            line = line[:-1] + f', "ll": [ {dice.uniform(-90, 90):.6f}, {dice.uniform(-180, 180):.6f} ]}}'
        else:
            line = json.dumps({name: value for name, value in click.items() if name not in ("gr", "cy")})
        lines.append(line.replace("/", "\\/") if dice.random() < 0.5 else line)
    return "\n".join(lines) + "\n\n"


def reviews(dice):
    lines = []
    for number in range(REVIEWS):
        said = []
        for _ in range(dice.choice([1, 4, 9, 20])):
            said.append(dice.choice([hangul(dice), hangul(dice), hangul(dice), word(dice), dice.choice(EMOJI)]))
            said[-1] += dice.choice(["", "", "", "", ".", "..", ",", "!", "ㅋㅋ", "ㅠㅠ", "~"])
        review = {"review_id": str(9_000_000 + number), "movie_id": str(dice.randint(10_000, 99_999)),
                  "author": word(dice, True)[:4] + "****", "review": " ".join(said), "rating": str(dice.randint(1, 10)),
                  "date": f"{dice.randint(10, 19)}.{dice.randint(1, 12):02}.{dice.randint(1, 28):02}"}
        members = list(review.items())
        dice.shuffle(members)
        lines.append(json.dumps(dict(members), ensure_ascii=False))
    return "\n".join(lines) + "\n"


# --- naughty strings -------------------------------------------------------------------------------------------------

def naughty_strings(dice):
    """Texts on which programs have stumbled, by category. None has a NUL: not every language can say one in a name."""
    def some():
        return word(dice)

    everything = [""]

    # Controls and spaces, each alone in its text and between two words.
    for point in [*range(1, 0x20), *range(0x7F, 0xA1), 0x1680, *range(0x2000, 0x200B), 0x2028, 0x2029, 0x202F, 0x205F,
                  0x3000]:
        everything += [chr(point), some() + chr(point) + some()]
    everything += [" " * 40, "\n" * 5, f" {some()}", f"{some()} ", f"{some()}\r\n", f"{some()}\r\n{some()}: {some()}"]

    # What has no width, turns the direction, or belongs to the character before it.
    for point in [0xAD, 0x34F, 0x61C, 0x180E, *range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x206A),
                  0xFE0E, 0xFE0F, 0xFEFF, 0xE0001, 0xE0061, 0xE007F]:
        everything.append(f"{some()}{chr(point)}{some()}")
    for _ in range(10):
        hebrew = "".join(chr(dice.randint(0x5D0, 0x5EA)) for _ in range(6))
        arabic = "".join(chr(dice.randint(0x627, 0x63A)) for _ in range(6))
        everything += [f"{hebrew} {dice.randint(1, 999)} {some()}", f"\u202e{some()}\u202c{arabic}",
                       f"\u2067{arabic}\u2069/{some()}"]
    for count in [1, 2, 5, 40, 200]:
        marks = [chr(dice.randint(0x300, 0x36F)) for _ in range(count)]
        everything += ["".join(dice.choice("a\u1100") + mark for mark in marks), some() + "".join(marks)]
    for _ in range(10):  # the same syllable as one character and as its letters
        first, second, third = dice.randrange(19), dice.randrange(21), dice.randrange(28)
        everything += [chr(0xAC00 + (first * 21 + second) * 28 + third), chr(0x1100 + first) + chr(0x1161 + second)
                       + (chr(0x11A7 + third) if third else "")]
    everything += ["e\u0301", "\u00e9", "\u1e9b\u0323", "\ufb03", "\u0130i\u0131I", "\u00df\u1e9e",
                   "\u01c4\u01c5\u01c6", "\u03a3\u03c3\u03c2"]

    # Beyond 16 bits, at the borders of UTF-8's lengths, in no use and never to be in use.
    everything += EMOJI + ["👨‍👩‍👧‍👦" * 3, "🏴\U000e0067\U000e0062\U000e007f", "🇦🇧🇨", "1\ufe0f\u20e3"]
    everything += [chr(point) for point in (0x7E, 0x80, 0x7FF, 0x800, 0xD7FF, 0xE000, 0xF8FF, 0xFFFC, 0xFFFD, 0x10000,
                                            0x10FFFD)]
    for begin, end in [(0x1D400, 0x1D7FF), (0x20000, 0x2A6DF), (0x1F300, 0x1F64F), (0x12000, 0x12399),
                       (0xF0000, 0xFFFFD)]:
        everything += ["".join(chr(dice.randint(begin, end)) for _ in range(length)) for length in (1, 7)]
    everything += [some() + chr(point) for point in
                   [*range(0xFDD0, 0xFDF0), *(last - one for last in range(0xFFFF, 0x110000, 0x10000) for one in (0,
                                                                                                                  1))]]

    # Long ones, and many of what must be escaped.
    for piece, times in [("x", 1000), ("가", 300), ("🐙", 250), ("\"", 200), ("\\", 200), ("%", 200), ("\x01", 100),
                         ("&=", 200), (" a", 300), ("/..", 200)]:
        everything += [piece * times, some() + piece * (times // 2) + some()]

    # What another language would take for its own.
    for quote in ["'", '"', "`", "''", "\\'", "\u2019", "\uff07"]:
        table_name = word(dice, True)
        everything += [f"{quote}; drop view {table_name}; --", f"{some()}{quote} or {quote}7{quote} < {quote}8",
                       f"{quote}) union all select {table_name} from {some()} /*", quote + some(), quote * 3]
    for tag in ["b", "svg", "style", "object", "textarea", "!--", "?xml", "script"]:
        name = word(dice, True)
        everything += [f"<{tag} {name}=\"{some()}\">", f"</{tag}><{tag} onfocus={name}(7)>",
                       f"<{tag}/{name}='>{some()}"]
    everything += [f"&{word(dice, True)};", "&#x6b;&#107;", "&amp;lt;", "<![CDATA[" + some() + "]]>", f"{some()}<!--",
                   "-->" + some()]
    for mark in ["%s", "%n", "%08x", "%1$d", "%-*.*f", "{}", "{0!r}", "{{7*6}}", "${7*6}", "#{7*6}", "<%= 7*6 %>",
                 "$(id)",
                 "`id`", "%COMSPEC%", "$HOME", "!!", "\\0", "\\x41", "\\u0041", "\\N{BULLET}", "\\", "\\\\", "^", "~",
                 "*", "?"]:
        everything += [f"{some()}{mark}{some()}", mark * 3]
    for prefix in ["=", "+", "-", "@", "\t=", "=-"]:  # a spreadsheet's formulas
        everything += [f"{prefix}{dice.randint(2, 9)}*{dice.randint(2, 9)}", f"{prefix}{word(dice, True).upper()}(A1)"]
    everything += [f"{some()},{some()}", f'"{some()}","{some()}', f"{some()};{some()}\t{some()}",
                   f"| {some()} & {some()} ;"]

    # Paths, URLs, and what is encoded, half encoded or encoded twice.
    for up in ["../", "..\\", "..%2f", "%2e%2e/", "....//", "..;/"]:
        everything += [up * depth + word(dice, True) for depth in (1, 6)]
    everything += [f"/{some()}/./{some()}//", f"C:\\{some()}\\con.txt", f"\\\\{some()}\\{some()}$", f"~/{some()}",
                   "con", "aux.json", f"./-{some()}", f"{some()}.tar.gz.", "..", "."]
    for scheme in ["https", "javascript", "data", "file", "app", "x+y-z.1", "HTTP", "1http", "ht tp", ""]:
        everything += [f"{scheme}://{word(dice, True)}.example/{some()}?{some()}={some()}#{some()}",
                       f"{scheme}:{some()}",
                       f"{scheme}://[::{dice.randint(1, 9)}]:99999/", f"{scheme}://{some()}:{some()}@{some()}"]
    everything += [f"//{some()}", f"?{some()}", f"#{some()}", "#?#?", f"{some()}?a=b&a=c&&=&=d;e",
                   f"{some()}+{some()}%20{some()}"]
    for encoded in ["%", "%%", "%4", "%4g", "%zz", "%00", "%25", "%2525", "%c1%81", "%ed%b3%bf", "%f5%80%80%80",
                    "%u0041", "%EF%BF%BE", "%0d%0a", "%7f", "%E1%84", "=?utf-8?q?=41?=", "a2V5", "+AGE-", "xn--mgba"]:
        everything += [encoded, some() + encoded, encoded + some()]

    # Numbers, words and JSON that are texts here.
    for number in [2 ** 31, 2 ** 53 + 1, 2 ** 63, 2 ** 64 + 3, -2 ** 63 - 1, 10 ** 40]:
        everything += [str(number), f"{number}.0", f"{number}e7", hex(number), f"{number:,}"]
    everything += ["+7", "7.", ".7", "-.7", "07", "-07", "7e", "7e+", "7e9999", "7e-9999", "0x1p7", "0b11", "0o17",
                   "7_000", "7'000", "7,5",
                   "7 000", "7\u00a0000", "٧٠", "७", "７", "Ⅶ", "⑦", "7%", "#7", "7/0", "-nan(7)", "+Inf", "Infinity7",
                   "1.7976931348623159e308"]
    everything += [spelled for name in ("null", "true", "false", "nil", "none", "void", "self", "nan", "eof")
                   for spelled in (f"{name} ", name.capitalize() + ".", f'"{name}"')]
    everything += ["type", "seq", "run", "id", "duration_ms", "yukha_ledger", "__class__", "__proto__.x", "toString()",
                   "a b", "A", "_"]
    for depth in (1, 3, 60):
        everything += ["[" * depth, "[" * depth + "]" * depth, '{"a":' * depth + "7" + "}" * depth, '{"a":' * depth]
    everything += ['{"action":{"type":"LOOK"}}', '{"action":{"type":"LOOK"},"action":7}', '{"action":"LOOK",}',
                   '"\\ud834"', '"\\u00"', "//", "{}7", "{'a':7}", '{"a":7}{"a":8}', '[7,]', '\ufeff{}',
                   '{"location":"S","action":{"type":"LOOK","n":1e999}}']

    # Dates that are none, and characters that look like others.
    everything += ["2031-02-30", "2031-13-01T25:61:61Z", "31/12/31", "0000-00-00", "24:00",
                   "1970-01-01T00:00:00+99:99", "-62135596800001"]
    lookalikes = str.maketrans("aceopxyi", "асеорхуі")
    everything += [word(dice, True).translate(lookalikes) for _ in range(8)]
    everything += [hangul(dice).encode().decode("latin-1") for _ in range(8)]  # UTF-8 that was read as Latin-1

    # Pieces of all of the above, one after another.
    short = [text for text in everything if len(text) < 30]
    everything += ["".join(dice.choice(short) for _ in range(dice.randint(2, 5))) for _ in range(60)]
    return list(dict.fromkeys(everything))


# --- JSON that is valid, and JSON that is not ------------------------------------------------------------------------

def is_json(data, encoding_errors="strict"):
    """Python's reader, made as strict as RFC 8259: it takes NaN and its like, and numbers only up to a size."""
    def refuse(what):
        raise ValueError(what)
    try:
        json.loads(data.decode("utf-8", encoding_errors), parse_constant=refuse, parse_int=str)
        return True
    except ValueError:
        return False


ESCAPES = {'"': '\\"', "\\": "\\\\", "/": "\\/", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def json_string(dice):
    written = []
    for _ in range(dice.choice([0, 1, 3, 12])):
        begin, end = dice.choice([(0, 0x7F), (0x80, 0xD7FF), (0xE000, 0xFFFF), (0x10000, 0x10FFFF)])
        one = dice.choice([chr(dice.randint(begin, end)), dice.choice(list(ESCAPES))])
        units = one.encode("utf-16-be")
        in_hex = "".join(dice.choice(["\\u%04x", "\\u%04X"]) % int.from_bytes(units[at:at + 2], "big")
                         for at in range(0, len(units), 2))
        short = ESCAPES.get(one, in_hex)
        must_be_escaped = one < " " or one in '"\\'
        written.append(dice.choice([short, in_hex] if must_be_escaped else [one, one, short, in_hex]))
    return '"' + "".join(written) + '"'


def json_number(dice):
    whole = dice.choice(["0", str(dice.randint(1, 9)), str(dice.randint(10, 10 ** 6)), str(dice.randint(1, 10 ** 30))])
    fraction = dice.choice(["", "", ".0", f".{dice.randrange(10 ** 6):06}", f".{dice.randrange(10 ** 25)}"])
    exponent = dice.choice("eE") + dice.choice(["", "+", "-"]) + str(dice.randrange(30))
    return dice.choice(["", "-"]) + whole + fraction + dice.choice(["", "", "", exponent])


def json_value(dice, depth):
    def space():
        return "".join(dice.choice(" \t\n\r") for _ in range(dice.choice([0, 0, 0, 1, 3])))

    leaves, branches = ["word", "number", "string"], ["array", "object"]
    kind = dice.choice(leaves + 3 * branches if depth > 0 else leaves)
    if kind == "word":
        return dice.choice(["true", "false", "null"])
    if kind == "number":
        return json_number(dice)
    if kind == "string":
        return json_string(dice)
    inside = []
    for _ in range(dice.choice([0, 1, 2, 4])):
        name = f"{json_string(dice)}{space()}:{space()}" if kind == "object" else ""
        inside.append(space() + name + json_value(dice, depth - 1) + space())
    begin, end = "{}" if kind == "object" else "[]"
    return begin + (",".join(inside) or space()) + end


# Each breaks one rule of the grammar.
BROKEN = [
    b"", b" ", b"\n\n", b"[", b"]", b"{", b"}", b"[7", b"7]", b"[[7]", b"[7]]", b"[7}", b"{7]", b'{"k":7]',
    b'{"k":[7}]', b"[7],", b",[7]",
    b"[,]", b"[7,]", b"[,7]", b"[7,,8]", b"[7 8]", b'["k" "l"]', b"[7;8]", b'["k":7]', b"[7]8", b"[7] [8]", b"7 8",
    b"[7]x",
    b'{"k"}', b'{"k":}', b'{:7}', b'{"k":7,}', b'{,"k":7}', b'{"k":7,,"l":8}', b'{"k" 7}', b'{"k"::7}', b'{"k"=7}',
    b'{"k",7}', b'{"k":7 "l":8}',
    b"{k:7}", b"{'k':7}", b"{7:7}", b"{null:7}", b'{["k"]:7}', b'{"k":7}}', b'{"k":7', b'{"k":', b'{"k', b'{"k":7,',
    b"['k']",
    b'"', b'"k', b'k"', b'"k\\"', b'"k\\', b'"\\"', b'"\\q"', b'"\\\'"', b'"\\0"', b'"\\x41"', b'"\\U00000041"',
    b'"\\u"', b'"\\u12"', b'"\\u123',
    b'"\\u12g4"', b'"\\u-123"', b'"\\u 123"', b'"\\ud83d\\u"', b'"\\\n"', b'"k\nl"', b'"\t"', b'"\x00"', b'"\x1f"',
    b'{"k\n":7}', b'"k""l"', b"`k`",
    b"+7", b"-", b"--7", b"-+7", b"- 7", b"07", b"-07", b"00", b"7.", b"-.7", b".7", b"7.e7", b"7..7", b"7.7.7", b"7e",
    b"7e+", b"7E-", b"7e7.7",
    b"7e+-7", b"7ee7", b"e7", b"0x7", b"0b1", b"0o7", b"7_0", b"7,0", b"7f", b"7L", b"7n", b"7%", b"1/7", b"(7)",
    b"$7", b"\xef\xbc\x97", b"\xd9\xa7",
    b"NaN", b"-NaN", b"[NaN]", b"Infinity", b"-Infinity", b"+Infinity", b"[inf]", b"nan", b"True", b"FALSE", b"Null",
    b"nul", b"tru", b"fals", b"nulll",
    b"truefalse", b"true false", b"undefined", b"None", b"k", b"[k]", b"@", b"[&]", b"\\u0037", b"[\\n7]", b"<k/>",
    b"k: 7", b"- 7\n- 8", b"// k\n7", b"7 // k", b"/* k */ 7", b"[7 /* k */]", b"# k\n7", b"-- k\n7",
    b"\x0b7", b"7\x0c", b"[\xc2\xa07]", b"[7\xe2\x80\xa8]", b"\xe3\x80\x807", b"7\x00", b"\x007", b"[7\x00]",
    b"[\x7f7]", b"\xe2\x80\x8b7",
    b"\xff", b"[\xff]", b"[7\x80]", b"\xc3", b"{\xe0\x80\x80:7}", b'{"k"\xf4\x90\x80\x80:7}', b"[\xed\xa0\x80]",
]
# RFC 8259 leaves these to the reader.
EITHER = [
    b"\xef\xbb\xbf7", b'"\\ud800"', b'"\\udfff\\ud83d"', b'["\\ud83dk"]', b'"\xff"', b'"\xc0\xaf"', b'"\xed\xa0\x80"',
    b'"\xf8\x88\x80\x80\x80"',
    b'{"\xe2\x82":7}', b"7e9999", b"-7e9999", b"7e-9999", b"9" * 5000, b'{"k":7,"k":8}', b"[" * 5000 + b"]" * 5000,
    b'{"k":' * 5000 + b"7" + b"}" * 5000, '"k"'.encode("utf-16-be"), '["k"]'.encode("utf-32-le"),
]


def json_documents(dice):
    """(file name, bytes) of each: y_ must be accepted, n_ must be refused, i_ may be either."""
    valid = [b"0", b"-0", b"-7e+07", b"0.0E-0", b'""', b"null", b" true\n", b"\t[\r\n]\t", b"{ }",
             b'"\x7f\xe2\x80\xa8\xef\xbf\xbe"', b'{"":{"":[]}}',
             b"[" * 200 + b"]" * 200, b'{"k":' * 200 + b"7" + b"}" * 200, b'"' + b"k" * 70_000 + b'"', b"9" * 400,
             b'"\\u0000\\ud83d\\ude00\\uFFFF"']
    valid += [f'"{escape}"'.encode() for escape in ESCAPES.values()]
    valid += [json_value(dice, depth).encode() for depth in (0, 1, 2, 3, 4) for _ in range(20)]
    changed = []
    while len(changed) < BROKEN_BY_CHANGE:
        data = bytearray(dice.choice(valid[-60:]))
        at = dice.randrange(len(data))
        change = dice.choice(["cut", "drop", "twice", "put", "swap"])
        if change == "cut":
            del data[at:]
        elif change == "drop":
            del data[at:at + dice.randint(1, 3)]
        elif change == "twice":
            data[at:at] = data[at:at + dice.randint(1, 8)]
        elif change == "put":
            data[at:at] = dice.choice([b",", b":", b'"', b"\\", b"[", b"}", b"-", b".", b"e", b"\x00", b"0", b"\xff"])
        else:
            other = dice.randrange(len(data))
            data[at], data[other] = data[other], data[at]
        # A reader may take ill-formed UTF-8 inside of a string: such a document counts where the grammar is broken too.
        if len(data) < 2000 and not is_json(bytes(data), "surrogateescape") and bytes(data) not in changed:
            changed.append(bytes(data))
    for prefix, documents in (("y_made", valid), ("n_rule", BROKEN), ("n_changed", changed), ("i_made", EITHER)):
        for number, data in enumerate(documents):
            errors = "strict" if prefix[0] == "y" else "surrogateescape"
            if prefix[0] != "i" and is_json(data, errors) != (prefix[0] == "y"):
                raise SystemExit(f"{prefix} {number} is not what it should be: {data!r}")
            yield f"{prefix}_{number:03}.json", data


# --- files -----------------------------------------------------------------------------------------------------------

def write(path, data):
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(data, str):
        data = data.encode()
    if path.suffix == ".gz":
        # Neither a name nor a time, so that the bytes are the same each time.
        packed = io.BytesIO()
        with gzip.GzipFile("", "wb", 6, packed, mtime=0) as file:
            file.write(data)
        data = packed.getvalue()
    path.write_bytes(data)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", metavar="FOLDER", type=pathlib.Path)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()

    def dice(name):  # one for each file, so that a change of one leaves the others as they are
        return random.Random(f"{options.seed} {name}")

    for name, data in json_documents(dice("json")):
        write(options.folder / "nasty/JSONTestSuite/test_parsing" / name, data)
    strings = json.dumps(naughty_strings(dice("naughty")), ensure_ascii=True, indent=1)
    write(options.folder / "nasty/blns/blns.json", strings + "\n")
    write(options.folder / "text/korean_reviews_2000.jsonl", reviews(dice("reviews")))
    write(options.folder / "usagov_bitly_clicks.jsonl.gz", usagov(dice("usagov")))
    write(options.folder / "waves_game_events.tsv.gz", waves(dice("waves")))
    # The last one: the build takes this file for a sign that all of them were written.
    write(options.folder / "deskdrop_users_interactions.csv.gz", deskdrop(dice("deskdrop")))


if __name__ == "__main__":
    main()
