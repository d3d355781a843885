#!/usr/bin/env python3
"""SETTINGS.md is what config.hpp says, and the ranges there are those that open() enforces.

    python3 tests/hosts/settings_test.py --library build/release/libyukha.so
    python3 tests/hosts/settings_test.py --write

The table is made of `struct Config`: name, type and default of each setting, the first sentence of its comment, what
stands behind "Range:" or "Form:", and behind "Empty:" or "0:". Every setting of yukha_config has a line in it. Through
the library each range of numbers is opened with its two ends and with what lies just outside of them.
"""
import argparse
import ctypes
import math
import pathlib
import re
import sys
import tempfile

CHECKOUT = pathlib.Path(__file__).resolve().parents[2]
PAGE = CHECKOUT / "include/yukha/SETTINGS.md"
OK, BAD_CONFIG = 0, -20

# What a setting is called in C where that is not its name with its unit; in words where C has something else.
IN_C = {
    "keys": ["key_id", "key_secret_base64", "keys", "key_count"],
    "sign": "`own_transport`: the host signs",
    "provide_keys": "`yukha_set_signing_keys()`",
    "collect_device_facts": ["no_device_facts"],
    "device": ["device", "device_count"],
    "transport": ["own_transport"],
    "use_thread": ["no_thread"],
    "log": "`yukha_take_log_line()`",
}
TYPES = {
    "std::string": ("text", ""),
    "std::vector<std::string>": ("texts; in C one, separated by `;`", ""),
    "bool": ("on or off", ""),
    "std::chrono::milliseconds": ("milliseconds", "_ms"),
    "std::chrono::hours": ("hours", "_hours"),
    "double": ("number", ""),
    "Consent": ("`Consent`", ""),
    "Uploads": ("`Uploads`", ""),
    "std::vector<SigningKey>": ("list of `SigningKey`", ""),
    "SignFunction": ("function", ""),
    "KeyFunction": ("function", ""),
    "LogFunction": ("function", ""),
    "std::shared_ptr<HttpTransport>": ("object", ""),
    "std::vector<std::pair<std::string, std::string>>": ("names and values", ""),
}
UNITS = {
    "milliseconds": {"ms": 1, "s": 1000, "min": 60_000, "h": 3_600_000},
    "hours": {"h": 1, "days": 24},
    "bytes": {"bytes": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30},
}
INTRO = """# The settings

`tests/hosts/settings_test.py --write` makes this page of [config.hpp](config.hpp), which says more about each setting. A
value outside of its range is answered `bad_config` by `open()`, with the setting's name, before anything is touched. In C
0 and `NULL` leave the default.

"""


class Setting:
    def __init__(self, group, comment, kind, name, default):
        self.group, self.comment, self.name = group, comment, name
        self.kind, unit = TYPES.get(kind, ("", ""))
        if kind in ("std::size_t", "std::uint64_t"):
            self.kind = "bytes" if "bytes" in name else "count"
        self.default = (default or "").strip("{}= ").replace("'", "").replace("ULL", "")
        self.in_c = IN_C.get(name, [name + unit])
        self.meaning = re.match(r"(.*?)\.(?=\s|$)", comment)[1]
        limits = re.search(r"\b(?:Range|Form): (.*?)\.(?=\s|$)", comment)
        self.limits = limits[1] if limits else "required" if "Required." in comment else ""
        nothing = re.search(r"(?<=\. )(?:Empty|0): (.*?)\.(?=\s|$)", comment)
        self.nothing = nothing[1] if nothing else ""

    def default_text(self):
        text = self.default
        if self.kind in ("milliseconds", "hours", "bytes", "count"):
            number = math.prod(int(factor) for factor in text.split("*"))
            text = f"{number:,}"
            for unit, size in UNITS.get(self.kind, {}).items():
                if number and number % size == 0:
                    text = f"{number // size:,} {unit}"
        elif self.kind == "on or off":
            text = "on" if text == "true" else "off"
        elif "::" in text:
            text = text.split("::")[1]
        if "Required." in self.comment:
            return "none: required"
        return f"{text or 'empty'}: {self.nothing}" if self.nothing else text or "empty"

    def ends(self):
        """The least and the greatest number, in the unit of C; None for what is no range of numbers."""
        found = re.match(r"(?:0, or )?([\d,]+)(?: (\w+))? to ([\d,]+)(?: (\w+))?", self.limits)
        if not found or self.kind not in ("milliseconds", "hours", "bytes", "count"):
            return None
        units = UNITS.get(self.kind, {})
        least, unit, greatest, last_unit = found.groups()
        return tuple(int(number.replace(",", "")) * (units[name] if name else 1)
                     for number, name in ((least, unit), (greatest, last_unit)))


def settings_of(header):
    struct = re.search(r"^struct Config \{\n(.*?)^\};", header, re.DOTALL | re.MULTILINE)[1]
    found, group, comment = [], "", []
    for line in struct.splitlines():
        line = line.strip()
        if line.startswith("// ## "):
            group = line[6:]
        elif line.startswith("// "):
            comment.append(line[3:])
        elif line:
            kind, name, default = re.match(r"(.+?) (\w+)( = .+|\{.*\})?;$", line).groups()
            found.append(Setting(group, " ".join(comment), kind, name, default))
            comment = []
    return found


def for_table(text):
    return re.sub(r"([|*<])", r"\\\1", text)


def table_of(settings):
    lines = ["| C++ | C | type | range or form | default | what it is |", "|---|---|---|---|---|---|"]
    group = ""
    for one in settings:
        if one.group != group:
            group = one.group
            lines.append(f"| **{group}** | | | | | |")
        in_c = one.in_c if isinstance(one.in_c, str) else ", ".join(f"`{name}`" for name in one.in_c)
        cells = [f"`{one.name}`", in_c, one.kind, for_table(one.limits), for_table(one.default_text()),
                 for_table(one.meaning)]
        lines.append("| " + " | ".join(cells) + " |")
    return re.sub(r" +\|", " |", "\n".join(lines)) + "\n"


def c_fields(header):
    struct = re.search(r"^typedef struct yukha_config \{\n(.*?)^\} yukha_config;", header, re.DOTALL | re.MULTILINE)[1]
    kinds = {"uint32_t": ctypes.c_uint32, "int32_t": ctypes.c_int32, "uint64_t": ctypes.c_uint64,
             "size_t": ctypes.c_size_t, "double": ctypes.c_double, "const char*": ctypes.c_char_p}
    code = re.sub(r"/\*.*?\*/", "", struct, flags=re.DOTALL)
    return [(name, kinds.get(kind, ctypes.c_void_p)) for kind, name in re.findall(r"^ +(.+?) (\w+);", code, re.MULTILINE)]


class Library:
    def __init__(self, path, fields):
        self.c = ctypes.CDLL(path)
        self.c.yukha_open.restype = ctypes.c_void_p
        self.c.yukha_free.argtypes = [ctypes.c_void_p]
        self.config = type("Config", (ctypes.Structure,), {"_fields_": fields})

    def opened(self, **settings):
        """What open() answers to these settings."""
        with tempfile.TemporaryDirectory(prefix="yukha-settings-") as folder:
            config = self.config()
            self.c.yukha_config_init(ctypes.byref(config), ctypes.sizeof(config))
            config.app_id, config.queue_dir, config.no_thread = b"shop", folder.encode(), 1
            for name, value in settings.items():
                setattr(config, name, value)
            result = ctypes.c_int32(1)
            tracker = self.c.yukha_open(ctypes.byref(config), ctypes.byref(result))
            self.c.yukha_free(tracker)
            return result.value


def check_ranges(settings, library):
    """(how many were opened, what was answered otherwise than the table says)"""
    ranges = {one.name: one.ends() for one in settings if one.ends()}
    tries = []
    for one in settings:
        field = one.in_c[0]
        if one.name in ranges:
            least, greatest = ranges[one.name]
            # A ring may need more than the queue's default; a small queue needs a small ring.
            beside = {"ring_bytes": {"queue_bytes_max": ranges["queue_bytes_max"][1]},
                      "queue_bytes_max": {"ring_bytes": ranges["ring_bytes"][0]}}.get(one.name, {})
            tries += [({field: value, **beside}, OK) for value in (least, greatest, 0)]
            # 0 is the default, and below it there is nothing.
            tries += [({field: value, **beside}, BAD_CONFIG) for value in (least - 1, greatest + 1) if value > 0]
        elif one.kind in ("`Consent`", "`Uploads`"):
            tries += [({field: value}, OK if 0 <= value <= 2 else BAD_CONFIG) for value in range(-1, 4)]
        elif one.name == "sample_rate":
            tries += [({field: value}, OK) for value in (1e-9, 1)]
            tries += [({field: value}, BAD_CONFIG) for value in (-1e-9, 1 + 1e-9, math.nan)]
    ring = ranges["ring_bytes"][1] // 2
    tries += [({"ring_bytes": ring, "queue_bytes_max": 2 * ring + (4 << 20)}, OK),
              ({"ring_bytes": ring, "queue_bytes_max": 2 * ring + (4 << 20) - 1}, BAD_CONFIG)]
    answers = [(what, expected, library.opened(**what)) for what, expected in tries]
    return len(answers), [f"open() answers {got} and not {expected} to {what}"
                          for what, expected, got in answers if got != expected]


def main():
    parser = argparse.ArgumentParser()
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--library")
    what.add_argument("--write", action="store_true", help="make SETTINGS.md anew")
    options = parser.parse_args()
    header = (CHECKOUT / "include/yukha/config.hpp").read_text(encoding="utf-8")
    settings = settings_of(header)
    page = INTRO + table_of(settings)
    if options.write:
        PAGE.write_text(page, encoding="utf-8")
        return 0

    faults = []
    if not PAGE.is_file() or PAGE.read_text(encoding="utf-8") != page:
        faults.append("include/yukha/SETTINGS.md is not what config.hpp says; --write makes it anew")
    for one in settings:
        if not one.kind or not one.group or not one.meaning:
            faults.append(f"{one.name} has a type, a comment or a place that this test does not know")
    fields = c_fields((CHECKOUT / "include/yukha/yukha.h").read_text(encoding="utf-8"))
    told = [name for one in settings if not isinstance(one.in_c, str) for name in one.in_c]
    if sorted(told + ["bytes"]) != sorted(name for name, _ in fields):
        faults.append(f"yukha_config and the table differ in {sorted(set(told + ['bytes']) ^ {name for name, _ in fields})}")
    library = Library(options.library, fields)
    count, wrong = check_ranges(settings, library)
    faults += wrong
    # A range that the header tells wrong is seen.
    planted = settings_of(header.replace("Range: 100 ms to 1 h.", "Range: 101 ms to 1 h."))
    if not check_ranges([one for one in planted if one.name in ("upload_interval", "ring_bytes", "queue_bytes_max")],
                        library)[1]:
        faults.append("a planted range was not noticed")
    for fault in faults:
        print(f"FAIL {fault}")
    if not faults:
        print(f"{len(settings)} settings are in the table, and {count} trackers opened as their ranges say")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
