#!/usr/bin/env python3
"""Writes the vectors of the wire contract, always the same bytes.

    python3 tests/vectors/make_vectors.py           writes the files
    python3 tests/vectors/make_vectors.py --check   fails when a file is not what this script writes

The two schemas are written by hand and only read here. Standard library only; it shares no code with the library or the
collector, so the files are a third opinion.
"""
import base64
import hashlib
import hmac
import json
import pathlib
import random
import sys
import uuid
import zlib

HERE = pathlib.Path(__file__).resolve().parent

# --- sentences ---------------------------------------------------------------------------------------------------


def uuid7(unix_ms, number):
    dice = random.Random(f"{unix_ms}/{number}")
    value = (unix_ms << 80) | (7 << 76) | (dice.getrandbits(12) << 64) | (2 << 62) | dice.getrandbits(62)
    digits = f"{value:032x}"
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def sentence(number=1, **changes):
    """A plain sentence; `changes` replaces whole parts, None takes one away."""
    parts = {
        "id": uuid7(1779421920123, number),
        "time": "2026-05-22T03:52:00.123Z",
        "user": {"id": "u_1842", "session": "7"},
        "device": device(number),
        "location": "app://shop/FEED?y=3",
        "content": {"id": "card_913", "type": "card"},
        "referral": "CLICK",
        "action": {"type": "READ", "duration_ms": "10000"},
    }
    parts.update(changes)
    return {key: value for key, value in parts.items() if value is not None}


def device(number=1, **changes):
    members = {
        "id": "6f1c2b9e-9b0a-4c39-8a55-0d6f6a1c7e42",
        "run": "9f86d081884c7d65",
        "seq": f"{number:010d}",
        "sdk": "yukha/1.0.0",
        "contract": "1",
        "os": "iOS 17.4",
        "model": "iPhone15,2",
    }
    members.update(changes)
    return {key: value for key, value in members.items() if value is not None}


def line(value, ascii_only=False):
    return json.dumps(value, ensure_ascii=ascii_only, separators=(",", ":"))


def of_size(size):
    """A sentence of exactly `size` bytes."""
    empty = len(line(sentence(content={"id": ""})).encode())
    return line(sentence(content={"id": "x" * (size - empty)}))


def good_lines():
    yield line(sentence())
    yield line(sentence(2, content={}, referral="", location=""))
    yield line(sentence(3, user={"id": "anon-1"}, action={"type": "OPEN"}))
    yield line(sentence(4, device=device(4, os=None, model=None)))
    yield line(sentence(5, device=device(5, clock_offset_ms="0")))
    yield line(sentence(6, device=device(6, clock_offset_ms="-86400000")))
    yield line(sentence(7, device=device(7, clock_offset_ms="1234567890123456")))
    yield line(sentence(0, id=uuid7(1779421920999, 0), action={"type": "yukha_ledger", "accepted": "48213"}))
    yield line(sentence(8, user={"id": "u", "experiment_checkout": "B"}, content={"price": "12900", "id": "p"}))
    yield line(sentence(9, content={"id": "9223372036854775807", "ratio": "0.1000000000000000055511151231257827"}))
    # Every plane, combining marks, right to left, emoji with joiners, noncharacters: all of it is text.
    yield line(sentence(10, user={"id": "사용자_😀"}, content={"id": "ก็ e\u0301 \u202e \U0010ffff \ufffe \u2028"}))
    yield line(sentence(11, content={"id": "\" \\ / \b \f \n \r \t \u0000 \u001f \u007f"}))
    yield line(sentence(12, content={"id": "한글 \U0001f469\u200d\U0001f680"}), ascii_only=True)
    yield line(sentence(13)).replace("CLICK", "\\u0043LICK").replace("//", "\\/\\/")
    yield line(sentence(14, content={"a" + "_" * 63: "the longest name"}))
    yield line(sentence(15, content={f"m{i}": str(i) for i in range(100)}))
    yield line(sentence(16, time="2024-02-29T23:59:59.999Z"))
    yield line(sentence(17, time="1970-01-01T00:00:00.000Z"))
    yield line(sentence(18, time="2000-02-29T00:00:00.000Z"))
    yield line(sentence(19, user={"session": "7", "id": "order inside a part is free"}))
    # White space between tokens is JSON; the library never writes it, another sender may.
    yield json.dumps(sentence(20), ensure_ascii=False)
    yield " " + line(sentence(21)) + " \t"
    yield line(sentence(22, action={"type": "yukha_ledger"})).replace("yukha_ledger", "yukha\\u005fledger")
    yield line(sentence(23)).replace('"session"', '"sess\\u0069on"')
    yield line(sentence(24, content={"id": ""}))
    # U+0000 in a text is a character like any other, also where a text must not be empty.
    yield line(sentence(25, user={"id": "\u0000u1"}, action={"type": "\u0000"}))
    yield json.dumps(sentence(26, user={"id": "\u0000u1"}, device=device(26, sdk="\u0000")), ensure_ascii=False)
    yield line(sentence(27, time="0001-01-01T00:00:00.000Z"))
    yield line(sentence(28, time="9999-12-31T23:59:59.999Z"))
    yield of_size(32768)


def bad_lines():
    def bad(why, check, text):
        return {"why": why, "check": check, "line": text}

    def schema(why, **changes):
        return bad(why, "schema", line(sentence(**changes)))

    for key in ("id", "time", "user", "device", "location", "content", "referral", "action"):
        yield schema(f"{key} is missing", **{key: None})
    for key in ("time", "location", "referral"):
        for value in (7, True, None, [], {}):
            text = line(sentence()).replace(json.dumps(sentence()[key]), json.dumps(value), 1)
            yield bad(f"{key} is {json.dumps(value)}", "schema", text)
    for key in ("user", "device", "content", "action"):
        for value in ("text", 7, ["id"]):
            yield schema(f"{key} is {json.dumps(value)}", **{key: value})
        for value in (7, 1.5, False, None, ["a"], {"deeper": "x"}):
            yield schema(f"a member of {key} is {json.dumps(value)}", **{key: dict(sentence()[key], extra=value)})
    yield schema("a ninth key", extra="x")
    yield schema("the lake's own key in a sentence", received_at="2026-05-22T03:52:01.000Z")
    yield bad("a number that is not JSON's", "json", line(sentence()).replace('"CLICK"', "NaN"))
    yield bad("not an object", "schema", "[]")
    yield bad("a string", "schema", '"sentence"')
    yield bad("a number", "schema", "42")
    yield bad("null", "schema", "null")
    yield bad("an array of pairs", "schema", line([list(pair) for pair in sentence().items()]))
    yield bad("a user that is an array of pairs", "schema", line(sentence(user=[["id", "u_1842"]])))

    yield schema("user.id is empty", user={"id": ""})
    yield schema("user.id is missing", user={"session": "7"})
    yield schema("action.type is empty", action={"type": ""})
    yield schema("action.type is missing", action={"duration_ms": "1"})
    for member in ("id", "run", "seq", "sdk", "contract"):
        yield schema(f"device.{member} is missing", device=device(**{member: None}))
        yield schema(f"device.{member} is empty", device=device(**{member: ""}))
    yield schema("a run of 15 digits", device=device(run="9f86d081884c7d6"))
    yield schema("a run of 17 digits", device=device(run="9f86d081884c7d651"))
    yield schema("a run in upper case", device=device(run="9F86D081884C7D65"))
    yield schema("a run with a newline behind it", device=device(run="9f86d081884c7d65\n"))
    yield schema("a seq of 9 digits", device=device(seq="000048213"))
    yield schema("a seq of 11 digits", device=device(seq="00000048213"))
    yield schema("a seq that is signed", device=device(seq="-000048213"))
    yield schema("a seq in Arabic digits", device=device(seq="٠" * 10))
    yield schema("another contract", device=device(contract="2"))
    for offset in ("", "+5", "-0", "007", "1.5", " 1", "1 ", "1\n", "99999999999999999", "٣"):
        yield schema(f"clock_offset_ms is {json.dumps(offset)}", device=device(clock_offset_ms=offset))

    good_id = sentence()["id"]
    for why, text in (("empty", ""), ("in upper case", good_id.upper()), ("a version 4", good_id[:14] + "4" + good_id[15:]),
                      ("of another variant", good_id[:19] + "c" + good_id[20:]), ("without dashes", good_id.replace("-", "")),
                      ("too short", good_id[:-1]), ("too long", good_id + "0"), ("followed by a newline", good_id + "\n"),
                      ("in braces", "{" + good_id + "}"), ("not an id", "u_1842")):
        yield schema(f"an id {why}", id=text)
    yield bad("an id that is a number", "schema", line(sentence()).replace(f'"{good_id}"', "7"))

    for time in ("", "2026-05-22T03:52:00Z", "2026-05-22T03:52:00.12Z", "2026-05-22T03:52:00.1234Z",
                 "2026-05-22T03:52:00.123", "2026-05-22T03:52:00.123+00:00", "2026-05-22 03:52:00.123Z",
                 "2026-05-22t03:52:00.123z", "2026-05-22T24:00:00.000Z", "2026-05-22T03:60:00.000Z",
                 "2026-05-22T03:52:60.000Z", "2026-13-01T00:00:00.000Z", "2026-00-01T00:00:00.000Z",
                 "2026-01-00T00:00:00.000Z", "2026-01-32T00:00:00.000Z", "2026-04-31T00:00:00.000Z",
                 "2026-02-29T00:00:00.000Z", "1900-02-29T00:00:00.000Z", "2026-02-30T00:00:00.000Z",
                 "0000-01-01T00:00:00.000Z", "0000-02-29T00:00:00.000Z", "026-05-22T03:52:00.123Z", "12026-05-22T03:52:00.123Z", "2026-05-22T03:52:00.123Z\n",
                 "２０２６-05-22T03:52:00.123Z"):
        yield schema(f"a time of {json.dumps(time, ensure_ascii=False)}", time=time)

    for name in ("", "A", "iD2", "1st", "_x", "with space", "with-dash", "with.dot", "naïve", "a" + "b" * 64, "a\n", "a\u0000"):
        yield schema(f"a member named {json.dumps(name, ensure_ascii=False)}", content={"id": "x", name: "y"})
    yield bad("a member in capitals beside its twin", "duplicate",
              line(sentence(content={"price": "1", "Price": "2"})))

    plain = line(sentence())
    for first, second in (("id", "time"), ("user", "device"), ("location", "content"), ("referral", "action")):
        order = list(sentence())
        i, j = order.index(first), order.index(second)
        order[i], order[j] = order[j], order[i]
        yield bad(f"{second} before {first}", "order", line({key: sentence()[key] for key in order}))
    yield bad("the keys in reverse", "order", line({key: sentence()[key] for key in reversed(list(sentence()))}))

    yield bad("a key twice", "duplicate", plain[:-1] + ',"referral":"PUSH"}')
    yield bad("a key twice with one value", "duplicate", plain[:-1] + ',"referral":"CLICK"}')
    yield bad("a key twice, once escaped", "duplicate", plain[:-1] + ',"referra\\u006c":"PUSH"}')
    yield bad("a member twice", "duplicate", plain.replace('"session":"7"', '"session":"7","session":"8"'))
    yield bad("a required member twice", "duplicate", plain.replace('"user":{', '"user":{"id":"other",'))
    yield bad("a member twice in action", "duplicate", plain.replace('"type":"READ"', '"type":"READ","type":"BUY"'))
    yield bad("a key twice, once in capitals", "duplicate", plain[:-1] + ',"Referral":"PUSH"}')
    # Whoever tells the name in his answer may cut it, and not inside a character.
    for letters in (61, 62, 63):
        name = "a" * letters + "\U0001f600"
        yield bad(f"a member twice, {letters} letters and four bytes long", "duplicate",
                  plain[:-1] + f',"{name}":"1","{name}":"2"}}')

    yield bad("one byte above 32 KiB", "size", of_size(32769))
    yield bad("far above 32 KiB", "size", of_size(40000))

    yield bad("an empty line", "json", "")
    yield bad("white space", "json", "   ")
    yield bad("cut short", "json", plain[:-1])
    yield bad("cut inside a string", "json", plain[:40])
    yield bad("a second document behind it", "json", plain + plain)
    yield bad("a comma behind it", "json", plain + ",")
    yield bad("a trailing comma", "json", plain[:-1] + ",}")
    yield bad("single quotes", "json", plain.replace('"', "'"))
    yield bad("a comment", "json", plain[:-1] + "/* x */}")
    yield bad("a byte order mark", "json", "\ufeff" + plain)
    yield bad("a raw tab in a string", "json", plain.replace("CLICK", "CL\tICK"))
    yield bad("a raw NUL in a string", "json", plain.replace("CLICK", "CL\0ICK"))
    yield bad("a raw carriage return in a string", "json", plain.replace("CLICK", "CL\rICK"))
    yield bad("an escape that is none", "json", plain.replace("CLICK", "\\x41"))
    yield bad("a short escape", "json", plain.replace("CLICK", "\\u12"))
    yield bad("brackets without end", "json", "[" * 30000)
    yield bad("text", "json", "GET / HTTP/1.1")
    # Who takes NUL for the end of the text stores what is no JSON.
    yield bad("a NUL behind it", "json", plain + "\0")
    yield bad("a NUL and text behind it", "json", plain + "\0 anything {")
    yield bad("a NUL and a member behind it", "json", plain + '\0,"x":"y"}')
    yield bad("a NUL before it", "json", "\0" + plain)
    yield bad("a NUL between two members", "json", plain.replace(',"referral"', ',\0"referral"'))
    yield bad("a NUL alone", "json", "\0")
    for why, space in (("a vertical tab", "\v"), ("a form feed", "\f"), ("a no-break space", "\u00a0"),
                       ("a line separator", "\u2028"), ("a byte order mark", "\ufeff"), ("a delete", "\x7f")):
        yield bad(f"{why} behind it", "json", plain + space)

    yield bad("half a surrogate pair", "utf8", plain.replace("CLICK", "\\ud83d"))
    yield bad("the other half", "utf8", plain.replace("CLICK", "\\ude00"))
    yield bad("a pair the wrong way round", "utf8", plain.replace("CLICK", "\\ude00\\ud83d"))
    yield bad("half a pair and text", "utf8", plain.replace("CLICK", "\\ud83dCLICK"))
    for why, raw in (("a byte that begins nothing", b"\xff"), ("a continuation alone", b"\x80"),
                     ("a sequence cut short", b"\xe2\x82"), ("an overlong slash", b"\xc0\xaf"),
                     ("an overlong NUL", b"\xc0\x80"), ("an encoded surrogate", b"\xed\xa0\x80"),
                     ("above U+10FFFF", b"\xf4\x90\x80\x80"), ("Latin-1", "é".encode("latin-1"))):
        broken = plain.encode().replace(b"CLICK", raw)
        yield {"why": why, "check": "utf8", "base64": base64.b64encode(broken).decode()}
    yield {"why": "a byte that begins nothing, in a name", "check": "utf8",
           "base64": base64.b64encode(plain.encode().replace(b"session", b"sess\xffion")).decode()}
    yield {"why": "UTF-16", "check": "utf8", "base64": base64.b64encode(plain.encode("utf-16")).decode()}


# --- requests ----------------------------------------------------------------------------------------------------

KEYID = "app-2026-11"
SECRET = base64.b64decode("uzvJfB4u3N0Jy4T7NZ75MDVcr8zSTInedJtkgcu46YW4XByzNJjxBdtjUkdJPBtbmHhIDi6pcl8jsasjlTMtDQ==")
OTHER_KEYID = "app-2027-05"
OTHER_SECRET = bytes(range(32))
AUTHORITY = "collect.example.com"
NOW = 1779421925344
COVERED = ("@method", "@authority", "@path", "content-digest", "content-encoding", "content-type", "idempotency-key",
           "yukha-clock")


def gzip_member(data, level=0):
    """One member, no name, no time; stored and not deflated, so that every zlib writes the same bytes."""
    out = zlib.compressobj(level, zlib.DEFLATED, -15)
    body = out.compress(data) + out.flush()
    head = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
    return head + body + zlib.crc32(data).to_bytes(4, "little") + (len(data) & 0xffffffff).to_bytes(4, "little")


def digest_of(body):
    return "sha-256=:" + base64.b64encode(hashlib.sha256(body).digest()).decode() + ":"


def signature_base(headers, method, authority, path, params, covered):
    fields = {name.lower(): value for name, value in headers}
    derived = {"@method": method, "@authority": authority, "@path": path,
               "@scheme": "https"}
    rows = [f'"{name}": {derived[name] if name in derived else fields[name]}' for name in covered]
    return "\n".join(rows + [f'"@signature-params": {params}'])


def uuid8(data):
    """The key that the library derives from these bytes: their SHA-256, cut to a UUID of version 8."""
    value = int.from_bytes(hashlib.sha256(data).digest()[:16], "big")
    value = value & ~(0xf << 76) | 8 << 76
    return str(uuid.UUID(int=value & ~(3 << 62) | 2 << 62))


def request(name, why, body, status, answer, *, key="019e4dcf-bb7b-7c3b-9d41-5f2b8c1e0a77", now=NOW, created=None,
            keyid=KEYID, secret=SECRET, covered=COVERED, alg="hmac-sha256", tag="yukha-v1", label="yukha",
            digest=None, drop=(), replace=None, sent_body=None, raw_key=None, method="POST",
            path="/v1/events", authority=AUTHORITY, clock=None, content_type="application/x-ndjson",
            content_encoding="gzip", keyid_text=None, more=()):
    created = now // 1000 if created is None else created
    headers = [
        ("Content-Type", content_type),
        ("Content-Encoding", content_encoding),
        ("Idempotency-Key", raw_key if raw_key is not None else f'"{key}"'),
        ("Yukha-Clock", f"{now};offset=-42" if clock is None else clock),
        ("Content-Digest", digest_of(body) if digest is None else digest),
        *more,
    ]
    nonce = base64.b64encode(hashlib.sha256(name.encode()).digest()[:12]).decode()
    keyid_text = json.dumps(keyid) if keyid_text is None else keyid_text
    listed = " ".join(f'"{component}"' for component in covered)
    params = f'({listed});created={created};nonce="{nonce}";keyid={keyid_text};alg="{alg}";tag="{tag}"'
    base = signature_base(headers, method, authority, path, params, covered)
    mac = hmac.new(secret, base.encode("latin-1", "replace"), hashlib.sha256).digest()
    headers += [("Signature-Input", f"{label}={params}"),
                ("Signature", f"{label}=:{base64.b64encode(mac).decode()}:")]
    headers = [(n, (replace or {}).get(n, v)) for n, v in headers if n not in drop]
    sent = body if sent_body is None else sent_body
    expected = {"status": status}
    if answer is not None:
        expected["body"] = answer
    if status == 401:
        expected["headers"] = ["Date"]
    return {"name": name, "why": why, "now_unix_ms": now, "method": method, "path": path, "headers": headers,
            "body_base64": base64.b64encode(sent).decode(), "signature_base": base, "expect": expected}


def ndjson(*lines):
    return "".join(text + "\n" for text in lines).encode()


def answer(accepted, *rejected):
    return {"accepted": accepted, "rejected": [{"line": n, "id": i} for n, i in rejected]}


def requests():
    three = ndjson(*(line(sentence(n)) for n in (101, 102, 103)))
    body = gzip_member(three)
    signature = {"error": "signature"}
    wrong_key = {"error": "key"}
    clock = {"error": "clock"}
    n = [0]

    def fresh():
        """A key of its own for every request that may be stored, so that the order of the vectors does not matter."""
        n[0] += 1
        return uuid7(1779421925000, 1000 + n[0])

    def make(name, why, status, expected, the_body=body, **how):
        if "key" not in how and "raw_key" not in how:
            how["key"] = fresh()
        return request(name, why, the_body, status, expected, **how)

    yield make("a batch", "the plain case", 200, answer(3))
    yield make("one sentence", "the smallest batch", 200, answer(1), gzip_member(ndjson(line(sentence(111)))))
    yield make("a line that is not a sentence", "it is named, the others are stored", 200, answer(2, (2, "")),
               gzip_member(ndjson(line(sentence(121)), "not json", line(sentence(122)))))
    bad_id = sentence(131)["id"]
    yield make("a sentence that misses a part", "its id can be read and is named", 200, answer(0, (1, bad_id)),
               gzip_member(ndjson(line(sentence(131, action=None)))))
    twice = "a" * 63 + "\u00e9"
    yield make("a bad name whose 64th byte is inside a character", "told cut or whole, it spoils no other line", 200,
               answer(2, (2, sentence(162)["id"])),
               gzip_member(ndjson(line(sentence(161)), line(sentence(162))[:-1] + f',"{twice}":"1","{twice}":"2"}}',
                                  line(sentence(163)))))
    yield make("another key", "two keys are configured", 200, answer(3), keyid=OTHER_KEYID, secret=OTHER_SECRET)
    yield make("another label", "the tag says which signature is ours, not the label", 200, answer(3), label="sig1")
    yield make("more is covered", "at least the eight", 200, answer(3), covered=COVERED + ("x-more", "@scheme"),
               more=[("X-More", "yes, 100%")])
    yield make("another order", "the order of the components is the signer's choice", 200, answer(3),
               covered=tuple(reversed(COVERED)))
    yield make("no offset", "the client does not know true time yet", 200, answer(3), clock=str(NOW))
    yield make("made 299 s ago", "inside the window", 200, answer(3), created=NOW // 1000 - 299)
    yield make("made in 299 s", "inside the window", 200, answer(3), created=NOW // 1000 + 299)
    yield make("made 300 s ago", "the edge is inside", 200, answer(3), created=NOW // 1000 - 300)
    yield make("made 301 s ago", "outside the window", 401, clock, created=NOW // 1000 - 301)
    yield make("made in 301 s", "outside the window", 401, clock, created=NOW // 1000 + 301)
    yield make("made in 1970", "a device without a clock", 401, clock, created=0)

    yield make("an unknown key", "nobody configured it", 401, wrong_key, keyid="app-1999-01")
    yield make("a keyid in other letters", "keyids are compared byte for byte", 401, wrong_key, keyid=KEYID.upper())
    yield make("an empty keyid", "it parses, and nobody has it", 401, wrong_key, keyid="")
    yield make("a keyid with a quote in it", "it parses, and nobody has it", 401, wrong_key, keyid='a"b\\c')
    yield make("a long keyid", "it parses, and nobody has it", 401, wrong_key, keyid="k" * 2000)
    yield make("a keyid that is a token", "it must be a string", 401, signature, keyid_text=KEYID)
    yield make("a keyid with a control character", "no structured field holds one", 401, signature,
               keyid_text='"a\tb"')
    yield make("the wrong secret", "the signature does not match", 401, signature, secret=b"wrong" * 8)
    yield make("wrong secret and wrong time", "a stranger learns nothing from the clock", 401, signature,
               secret=b"wrong" * 8, created=0)
    yield make("no signature", "both fields are missing", 401, signature, drop=("Signature", "Signature-Input"))
    yield make("no Signature", "half of it", 401, signature, drop=("Signature",))
    yield make("no Signature-Input", "half of it", 401, signature, drop=("Signature-Input",))
    yield make("no digest", "it is covered and missing", 401, signature, drop=("Content-Digest",))
    yield make("a digest of another body", "signed, but not this body's", 401, signature, digest=digest_of(b"other"))
    yield make("a digest of another kind", "sha-256 is what the contract names", 401, signature,
               digest="sha-512=:" + base64.b64encode(hashlib.sha512(body).digest()).decode() + ":")
    yield make("a digest that is not base64", "unreadable", 401, signature, digest="sha-256=:***:")
    changed = bytearray(body)
    changed[-1] ^= 1
    yield make("one byte of the body changed", "the digest is not the body's", 401, signature, sent_body=bytes(changed))
    yield make("the key changed on the way", "idempotency-key is covered", 401, signature,
               replace={"Idempotency-Key": '"019e4dcf-bb7b-7c3b-9d41-000000000000"'})
    yield make("the type changed on the way", "content-type is covered", 401, signature,
               replace={"Content-Type": "text/plain"})
    yield make("the clock changed on the way", "yukha-clock is covered", 401, signature,
               replace={"Yukha-Clock": f"{NOW};offset=0"})
    for missing in COVERED:
        yield make(f"{missing} is not covered", "the eight are the least", 401, signature,
                   covered=tuple(c for c in COVERED if c != missing))
    yield make("a component twice", "RFC 9421, 2: each at most once", 401, signature, covered=COVERED + ("@method",))
    yield make("another algorithm", "alg must be hmac-sha256", 401, signature, alg="hmac-sha512")
    yield make("another tag", "tag must be yukha-v1", 401, signature, tag="yukha-v2")
    yield make("for another host", "@authority is the public one", 401, signature, authority="evil.example.com")
    for_other_path = make("for another path", "@path is the public one", 401, signature, path="/v2/events")
    yield dict(for_other_path, path="/v1/events")
    yield make("a Signature-Input that is no dictionary", "unreadable", 401, signature,
               replace={"Signature-Input": "yukha=(\"@method\""})
    yield make("a Signature that is no byte sequence", "unreadable", 401, signature, replace={"Signature": "yukha=abc"})

    for method in ("GET", "PUT", "PATCH", "DELETE", "OPTIONS"):
        yield make(f"by {method}", "events come by POST, however well others are signed", 405, None, method=method)

    plain = b'{"hello": "world"}'
    yield make("RFC 9530's example as a body", "the digest of RFC 9530 is right, so what is wrong is the gzip", 400,
               None, plain, digest="sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:")
    yield make("RFC 9530's example with a newline", "as before", 400, None, plain + b"\n",
               digest="sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:")
    yield make("bytes behind the member", "one member and nothing else", 400, None, body + b"\0")
    yield make("a gzip cut short", "not a whole member", 400, None, body[:-5])
    broken = bytearray(body)
    broken[-6] ^= 0xff
    yield make("a gzip with a wrong checksum", "damaged before it was signed", 400, None, bytes(broken))
    yield make("zlib instead of gzip", "not gzip", 400, None, zlib.compress(three))
    yield make("an empty body", "not gzip", 400, None, b"")
    yield make("a gzip of nothing", "a batch of no sentences", 200, answer(0), gzip_member(b""))
    yield make("a gzip bomb", "stopped while inflating", 413, None, gzip_member(b"\n" * (8 << 20), 9))
    yield make("one byte above 4 MiB inflated", "the bound", 413, None, gzip_member(b"x" * ((4 << 20) + 1), 9))
    yield make("501 lines", "a batch is at most 500 sentences", 413, None, gzip_member(b"x\n" * 501))
    yield make("500 lines", "a full batch, none of it good", 200,
               {"accepted": 0, "rejected": [{"line": i + 1, "id": ""} for i in range(500)]}, gzip_member(b"x\n" * 500))
    yield make("no newline at the end", "the last line counts all the same", 200, answer(1),
               gzip_member(line(sentence(141)).encode()))
    yield make("json as content type", "API gateways treat it as text and ruin gzip", 415, None,
               content_type="application/json")
    yield make("another encoding", "the body is gzip", 415, None, content_encoding="identity")

    # Only the form is the contract's business; the first five are the examples of RFC 9562.
    for version, key in ((1, "c232ab00-9414-11ec-b3c8-9f6bdeced846"), (2, "c232ab00-9414-21ec-b3c8-9f6bdeced846"),
                         (3, "5df41881-3aed-3515-88a7-2f4a814cf09e"), (4, "919108f7-52d1-4320-9bac-f847db4148a8"),
                         (5, "2ed6657d-e927-568b-95e1-2665a8aea6a2"), (6, "1ec9414c-232a-6b00-b3c8-9f6bdeced846"),
                         (7, "017f22e2-79b0-7cc3-98c4-dc0c0c07398f"), (8, uuid8(three))):
        yield make(f"a key of version {version}", "a UUID of any version", 200, answer(3), key=key)
    yield make("a part of a key of version 8", "what the library sends", 200, answer(1), key=uuid8(b"0") + ".0r1",
               the_body=gzip_member(ndjson(line(sentence(152)))))
    for why, key in (("the nil UUID", "0" * 8 + "-0000-0000-0000-" + "0" * 12),
                     ("the max UUID", "f" * 8 + "-ffff-ffff-ffff-" + "f" * 12),
                     ("of another variant", "919108f7-52d1-4320-cbac-f847db4148a8")):
        yield make(f"a key: {why}", "nobody looks at version and variant", 200, answer(3), key=key)

    for why, raw in (("a token", "019e4dcf-bb7b-7c3b-9d41-5f2b8c1e0a77"), ("no uuid", '"batch-1"'), ("empty", '""'),
                     ("upper case", '"019E4DCF-BB7B-7C3B-9D41-5F2B8C1E0A77"'),
                     ("without dashes", '"019e4dcfbb7b7c3b9d415f2b8c1e0a77"'),
                     ("in braces", '"{019e4dcf-bb7b-7c3b-9d41-5f2b8c1e0a77}"'),
                     ("a letter that is no digit", '"019e4dcf-bb7b-7c3b-9d41-5f2b8c1e0g77"'),
                     ("a dash at another place", '"019e4dcf-bb7b7-c3b-9d41-5f2b8c1e0a77"'),
                     ("a space before it", '" 019e4dcf-bb7b-7c3b-9d41-5f2b8c1e0a77"'),
                     ("a path without its dot", '"019e4dcf-bb7b-7c3b-9d41-5f2b8c1e0a7701"'),
                     ("two dots", '"019e4dcf-bb7b-7c3b-9d41-5f2b8c1e0a77.0.1"'),
                     ("a path in upper case", '"019e4dcf-bb7b-7c3b-9d41-5f2b8c1e0a77.R"'),
                     ("an empty path", '"019e4dcf-bb7b-7c3b-9d41-5f2b8c1e0a77."'),
                     ("another letter in the path", '"019e4dcf-bb7b-7c3b-9d41-5f2b8c1e0a77.02"'),
                     ("17 levels", '"019e4dcf-bb7b-7c3b-9d41-5f2b8c1e0a77.' + "0" * 17 + '"')):
        yield make(f"a key that is none: {why}", "malformed", 400, None, raw_key=raw)
    shown = ndjson(line(sentence(1)))
    yield make("what the contract's page shows", "its worked example, byte for byte", 200, answer(1), gzip_member(shown),
               key=uuid8(shown))
    yield make("a part 16 levels deep", "the deepest there is", 200, answer(1), key=fresh() + "." + "01r0" * 4,
               the_body=gzip_member(ndjson(line(sentence(151)))))


def requests_file():
    b25_params = '("date" "@authority" "content-type");created=1618884473;keyid="test-shared-secret"'
    b25_base = "\n".join(('"date": Tue, 20 Apr 2021 02:07:55 GMT', '"@authority": example.com',
                          '"content-type": application/json', f'"@signature-params": {b25_params}'))
    b25 = base64.b64encode(hmac.new(SECRET, b25_base.encode(), hashlib.sha256).digest()).decode()
    assert b25 == "pxcQw6G3AjtMBQjwo8XzkZf/bws5LelbaMk5rGIGtE8=", b25
    digests = []
    for text, expected in (('{"hello": "world"}', "X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE="),
                           ('{"hello": "world"}\n', "RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=")):
        assert digest_of(text.encode()) == f"sha-256=:{expected}:"
        digests.append({"name": "RFC 9530", "body": text, "content_digest": f"sha-256=:{expected}:"})
    lines = ndjson(*(line(sentence(n)) for n in (101, 102, 103))).decode()
    whole = uuid8(lines.encode())
    after_conflict = []
    for old in (whole, whole + ".0r"):
        after_conflict.append({"old_key": old, "lines": lines, "key": uuid8(f"{old}\n{lines}".encode())})
    names = set()
    made = []
    for one in requests():
        assert one["name"] not in names, one["name"]
        names.add(one["name"])
        made.append(one)
    return {
        "public_url": f"https://{AUTHORITY}/v1/events",
        "keys": {KEYID: base64.b64encode(SECRET).decode(), OTHER_KEYID: base64.b64encode(OTHER_SECRET).decode()},
        "signatures": [{"name": "RFC 9421 B.2.5", "key_base64": base64.b64encode(SECRET).decode(),
                        "signature_base": b25_base, "signature": b25}],
        "digests": digests,
        "batch_keys": [{"lines": lines, "key": whole}],
        "keys_after_conflict": after_conflict,
        "requests": made,
    }


# --- answers -----------------------------------------------------------------------------------------------------


def answers():
    """What the client does, in the contract's words. `sent` is how many lines the request had."""
    first, second, third = (uuid7(1779421925500, i) for i in (1, 2, 3))
    ids = [first, second, third]

    def row(name, status, verdict, does, body="", headers=(), **more):
        text = body if isinstance(body, str) else json.dumps(body, separators=(",", ":"))
        return {"name": name, "status": status, "headers": [list(h) for h in headers], "body": text, "sent_ids": ids,
                "verdict": verdict, "client": does, **more}

    def refused(*entries):
        return [{"line": n, "id": i, "reason": "schema: x"} for n, i in entries]

    delivered = "deletes the batch"
    quarantine = "deletes the batch; rejected sentences go to quarantine with the reason"
    outage = "keeps everything, backs off"
    odd_200 = "an outage: keeps, backs off"
    config = "a wrong configuration: keeps everything, long back-off, says so"

    yield row("all accepted", 200, "delivered", delivered, {"accepted": 3, "rejected": []}, delivered=[1, 2, 3], quarantined=[])
    yield row("one rejected", 200, "delivered", quarantine, {"accepted": 2, "rejected": refused((2, second))},
              delivered=[1, 3], quarantined=[2])
    yield row("all rejected", 200, "delivered", quarantine,
              {"accepted": 0, "rejected": refused((1, first), (2, second), (3, third))}, delivered=[], quarantined=[1, 2, 3])
    yield row("rejected without a readable id", 200, "delivered", quarantine,
              {"accepted": 2, "rejected": refused((3, ""))}, delivered=[1, 2], quarantined=[3])
    yield row("unknown members in the answer", 200, "delivered", delivered,
              {"accepted": 3, "rejected": [], "server": "x", "more": {"a": [1]}}, delivered=[1, 2, 3], quarantined=[])

    # A policy is the endpoint's wish beside the answer; whether it is obeyed never changes what becomes of the batch.
    def policy(name, wish, obeyed, **more):
        return row(f"policy: {name}", 200, "delivered", delivered + (
            "; obeys the policy" if obeyed is not None else "; ignores the policy, and says so"),
            {"accepted": 3, "rejected": [], "policy": wish}, delivered=[1, 2, 3], quarantined=[], policy=obeyed, **more)

    types = [f"{n:02d}" + "x" * 62 for n in range(65)]
    for name, wish in (("everything", {"for_s": 3600, "pause_s": 60, "upload_interval_s": 30, "stop": ["READ", "BUY"],
                                       "share_percent": 50}),
                       ("nothing but its time", {"for_s": 3600}), ("the end of the one before", {"for_s": 0}),
                       ("the most", {"for_s": 604800, "pause_s": 86400, "upload_interval_s": 86400, "stop": types[:64],
                                     "share_percent": 100}),
                       ("the least", {"for_s": 1, "pause_s": 0, "upload_interval_s": 0, "stop": [], "share_percent": 0}),
                       ("every action", {"for_s": 60, "stop": ["*"]}),
                       ("every action, and one by name", {"for_s": 60, "stop": ["READ", "*"]}),
                       ("a pause as long as it holds", {"for_s": 60, "pause_s": 60})):
        yield policy(name, wish, wish)
    yield policy("unknown members", {"for_s": 60, "colour": {"a": [1]}}, {"for_s": 60})
    for name, wish in (("null", None), ("an array", []), ("a text", "pause"), ("true", True), ("a number", 3600),
                       ("no for_s", {"pause_s": 60}), ("for_s is a text", {"for_s": "60"}),
                       ("for_s is null", {"for_s": None}), ("for_s is true", {"for_s": True}),
                       ("for_s is a fraction", {"for_s": 60.5}), ("for_s is negative", {"for_s": -1}),
                       ("for_s of a week and a second", {"for_s": 604801}),
                       ("for_s of twenty digits", {"for_s": 10 ** 19}),
                       ("a pause that is longer than it holds", {"for_s": 60, "pause_s": 61}),
                       ("a pause of a day and a second", {"for_s": 604800, "pause_s": 86401}),
                       ("a pause that is negative", {"for_s": 60, "pause_s": -1}),
                       ("a pause that is null", {"for_s": 60, "pause_s": None}),
                       ("an interval of a day and a second", {"for_s": 60, "upload_interval_s": 86401}),
                       ("an interval that is a text", {"for_s": 60, "upload_interval_s": "30"}),
                       ("stop is a text", {"for_s": 60, "stop": "READ"}),
                       ("stop has a number", {"for_s": 60, "stop": ["READ", 7]}),
                       ("stop has 65 types", {"for_s": 60, "stop": types}),
                       ("stop has a type of 65 bytes", {"for_s": 60, "stop": ["x" * 65]}),
                       ("stop has a type of no bytes", {"for_s": 60, "stop": [""]}),
                       ("stop has a type with a line end", {"for_s": 60, "stop": ["READ\n"]}),
                       ("stop has a type of 33 characters and 66 bytes", {"for_s": 60, "stop": ["\u00e9" * 33]}),
                       ("a share of 101", {"for_s": 60, "share_percent": 101}),
                       ("a share that is negative", {"for_s": 60, "share_percent": -1}),
                       ("a share that is a fraction", {"for_s": 60, "share_percent": 0.5})):
        yield policy(name, wish, None)

    for name, body in (("a captive portal's page", "<!doctype html><html><body>Free Wi-Fi</body></html>"),
                       ("no body", ""), ("half an answer", '{"accepted":3,"reje'), ("an empty object", "{}"),
                       ("not an object", "[]"), ("accepted is missing", '{"rejected":[]}'),
                       ("rejected is missing", '{"accepted":3}'), ("too few lines", {"accepted": 2, "rejected": []}),
                       ("too many lines", {"accepted": 4, "rejected": []}),
                       ("accepted is negative", {"accepted": -1, "rejected": refused((1, first))}),
                       ("accepted is a string", {"accepted": "3", "rejected": []}),
                       ("accepted is a fraction", '{"accepted":2.5,"rejected":[]}'),
                       ("a line twice", {"accepted": 1, "rejected": refused((2, second), (2, second))}),
                       ("line 0", {"accepted": 2, "rejected": refused((0, ""))}),
                       ("a line behind the last with no id of ours", {"accepted": 2, "rejected": refused((4, ""))}),
                       ("a line behind the last with an id of ours", {"accepted": 2, "rejected": refused((17, second))}),
                       ("a line and an id of two sentences", {"accepted": 2, "rejected": refused((1, second))}),
                       ("a line of another id and an id of another batch",
                        {"accepted": 2, "rejected": refused((2, "019e4dcf-bb7b-7c3b-9d41-000000000000"))}),
                       ("rejected is an object", {"accepted": 3, "rejected": {}}),
                       ("something behind the answer", '{"accepted":3,"rejected":[]}<html>')):
        yield row(f"200 otherwise: {name}", 200, "outage", odd_200, body)
    wish = {"for_s": 3600, "pause_s": 60}
    yield row("a policy in a 200 otherwise", 200, "outage", odd_200, {"accepted": 2, "rejected": [], "policy": wish},
              policy=None)
    yield row("a policy in a 503", 503, "outage", outage, {"error": "lake", "policy": wish}, policy=None)
    for status in (201, 202, 204, 206):
        yield row(f"{status}", status, "outage", odd_200, "" if status == 204 else {"accepted": 3, "rejected": []})

    yield row("too large", 413, "too_large",
              "the cap becomes half of the refused batch's line bytes; the batch is split only as far as the cap asks, "
              "when its turn comes")
    for status in (400, 422):
        yield row(f"{status} naming lines", status, "refused_lines", "those to quarantine, the remainder again as `.r`",
                  {"accepted": 2, "rejected": refused((2, second))}, quarantined=[2], remainder=[1, 3])
        yield row(f"{status} naming every line", status, "refused_lines", "those to quarantine, nothing remains",
                  {"accepted": 0, "rejected": refused((1, first), (2, second), (3, third))}, quarantined=[1, 2, 3],
                  remainder=[])
    for name, body in (("bare", ""), ("with an error", {"error": "gzip"}), ("with a page", "<html>Bad Request</html>"),
                       ("with an answer that names none", {"accepted": 3, "rejected": []})):
        yield row(f"400 {name}", 400, "refused_unnamed", "bisects, left halves only", body)
    yield row("422 bare", 422, "wrong_configuration", config)

    date = ("Date", "Fri, 22 May 2026 03:52:05 GMT")
    far = ("Date", "Fri, 22 May 2026 04:52:05 GMT")
    sent = {"sent_unix_ms": 1779421925301}
    yield row("401 clock", 401, "clock", "learns the offset, re-signs once per request at once; still 401: as `signature`",
              {"error": "clock"}, [far], **sent)
    yield row("401 with a Date far off", 401, "clock",
              "learns the offset, re-signs once per request at once; still 401: as `signature`", "", [far], **sent)
    yield row("401 with a Date 241 s off", 401, "clock",
              "learns the offset, re-signs once per request at once; still 401: as `signature`", {"error": "signature"},
              [("Date", "Fri, 22 May 2026 03:56:07 GMT")], **sent)
    yield row("401 key", 401, "key", "the other configured key at once, remembered if it works", {"error": "key"}, [date], **sent)
    refused_by_key = "the next batch once, then long back-off, ended early by a changed key or endpoint; says so"
    yield row("401 signature", 401, "signature", refused_by_key, {"error": "signature"}, [date], **sent)
    yield row("401 bare", 401, "signature", refused_by_key, "", [date], **sent)
    yield row("401 without a Date", 401, "signature", refused_by_key, "", [], **sent)
    yield row("403", 403, "signature", refused_by_key, "<html>Forbidden</html>")

    wait = "this batch alone waits, same key"
    yield row("409 busy", 409, "busy", wait, {"error": "busy"}, [("Retry-After", "1")], retry_after_s=1)
    yield row("409 without Retry-After", 409, "busy", wait)
    yield row("409 split", 409, "split", "goes on with the parts (a clone that has none halves the batch)", {"error": "split"})
    anew = "gives the batch the key derived from its key and its lines, and sends it at once"
    yield row("409 conflict", 409, "conflict", anew, {"error": "conflict"})
    yield row("409 conflict with Retry-After", 409, "conflict", anew, {"error": "conflict"}, [("Retry-After", "60")])
    yield row("409 with an error nobody knows", 409, "busy", wait, {"error": "later"})
    yield row("425", 425, "busy", wait, "", [("Retry-After", "2")], retry_after_s=2)
    for status in (307, 308):
        yield row(f"{status} to the same origin", status, "redirect", "followed once, re-signed for the new path", "",
                  [("Location", "/v2/events")])
        yield row(f"{status} to another origin", status, "wrong_configuration", config, "",
                  [("Location", "https://other.example.com/v1/events")])
        yield row(f"{status} without Location", status, "wrong_configuration", config)

    for status in (408, 429, 500, 502, 503, 504, 507, 511, 520, 599):
        yield row(f"{status}", status, "outage", outage)
    yield row("503 for two seconds", 503, "outage", outage, "", [("Retry-After", "2")], retry_after_s=2)
    yield row("503 until a date", 503, "outage", outage, "", [date, ("Retry-After", "Fri, 22 May 2026 03:52:15 GMT")],
              retry_after_s=10, **sent)
    yield row("503 for a day", 503, "outage", outage + " (capped at 1 h)", "", [("Retry-After", "86400")], retry_after_s=3600)
    yield row("503 until last year", 503, "outage", outage, "", [date, ("Retry-After", "Wed, 21 May 2025 03:52:15 GMT")], **sent)
    for value in ("soon", "-5", "1.5", "99999999999999999999", ""):
        yield row(f"503 with Retry-After {value!r}", 503, "outage", outage, "", [("Retry-After", value)])
    yield row("no answer", 0, "outage", outage)
    yield row("503 with an answer that looks good", 503, "outage", outage, {"accepted": 3, "rejected": []})
    for status in (101, 300, 301, 302, 303, 304, 402, 404, 405, 406, 410, 411, 415, 418, 426, 431, 451, 501, 505, 600, 699):
        yield row(f"{status}", status, "wrong_configuration", config)


# --- files -------------------------------------------------------------------------------------------------------


def rows(values):
    return "[\n" + ",\n".join(json.dumps(value) for value in values) + "\n]\n"


def files():
    good = list(good_lines())
    assert len(set(good)) == len(good)
    yield "sentences_good.ndjson", "".join(text + "\n" for text in good)
    bad = list(bad_lines())
    assert len({(b["why"]) for b in bad}) == len(bad), [b["why"] for b in bad]
    yield "sentences_bad.json", rows(bad)
    made = requests_file()
    requests_text = json.dumps({k: v for k, v in made.items() if k != "requests"}, indent=1)
    yield "requests.json", requests_text[:-2] + ',\n "requests": ' + rows(made["requests"]).rstrip() + "\n}\n"
    yield "answers.json", rows(list(answers()))


def main():
    wrong = 0
    for name, text in files():
        path = HERE / name
        if "--check" in sys.argv[1:]:
            if not path.exists() or path.read_bytes() != text.encode():
                print(f"{name} is not what make_vectors.py writes", file=sys.stderr)
                wrong = 1
        else:
            path.write_bytes(text.encode())
    return wrong


if __name__ == "__main__":
    sys.exit(main())
