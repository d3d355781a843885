#!/usr/bin/env python3
"""Who may include whom, and where the platform may show. Takes a second; without it the layers are a wish.

Each rule is broken once in a planted copy of the tree, and must be found there.
"""
import pathlib
import re
import shutil
import sys
import tempfile

CHECKOUT = pathlib.Path(__file__).resolve().parents[2]
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*[<"]([^>"]+)[>"]', re.MULTILINE)
CONDITION = re.compile(r"^[ \t]*#[ \t]*(?:ifdef|ifndef|if|elif)\b(.*)$", re.MULTILINE)
ENDINGS = {".cpp", ".hpp", ".h", ".mm", ".m", ".c"}

# Each third-party header stands in exactly one .cpp of src. OpenSSL and Apple's CommonCrypto each have their own.
THIRD_PARTY = {"SQLite": "sqlite3", "curl": "curl/", "zlib": "zlib.h", "OpenSSL": "openssl/",
               "CommonCrypto": "CommonCrypto/"}
NLOHMANN = "nlohmann/"  # the examples' and the tests' own: the library has a reader, src/system/json.hpp
# The folders of src from the ground up, and what each may include besides its own and the public headers. What is not
# listed here is no folder of src, and no file lies beside them.
LAYERS = {
    "system": (),
    "compose": ("system",),
    "hold": ("system",),
    "send": ("system",),
    "intake": ("compose", "hold", "send", "system"),
    "pipeline": ("intake", "hold", "send", "system"),
    "core": ("pipeline", "intake", "compose", "hold", "send", "system"),
    "api": ("core", "compose", "send", "system"),
}
WHY = {
    "system": "it lies beneath the others",
    "compose": "it makes lines, and knows neither where they lie nor where they go",
    "hold": "it knows neither what a sentence says nor how it is sent",
    "send": "it speaks the protocol, and knows neither how lines are made nor where they lie",
    "intake": "it stands before the worker",
    "pipeline": "it moves lines and does not compose them, and does not look up to what ties the stages together",
    "core": "it ties the stages together, for whichever interface",
    "api": "it stands on the core",
}
# compose is pure: of the system it takes what is arithmetic over arguments, and of the standard library nothing that
# reads a clock, a file or the environment.
PURE_SYSTEM = {"system/uuid.hpp", "system/dice.hpp", "system/crc32c.hpp", "system/utf8.hpp", "system/base64.hpp",
               "system/crypto.hpp", "system/json.hpp"}
IMPURE_STANDARD = re.compile(
    r"^(fstream|iostream|filesystem|cstdio|stdio\.h|thread|mutex|condition_variable|future|random|ctime|time\.h|"
    r"unistd\.h|fcntl\.h|sys/.*|netdb\.h|windows\.h)$")
STANDARD_OR_OURS = re.compile(r"^([a-z_]+|std(def|int)\.h|yukha/[a-z_]+\.(hpp|h))$")
# A compiler's name may be asked for in these, a system's only in src/system.
VISIBILITY = re.compile(r"^\s*defined\(__GNUC__\)\s*$|^\s*__cplusplus\s*$")
GUARD = re.compile(r"^\s*YUKHA_[A-Z_]+_(HPP|H)\s*$")


def files(root, *folders):
    for folder in folders:
        if (root / folder).is_dir():
            for path in sorted((root / folder).rglob("*")):
                if path.suffix in ENDINGS:
                    yield path


def without_comments(text):
    text = re.sub(r"/\*.*?\*/", lambda found: "\n" * found[0].count("\n"), text, flags=re.DOTALL)
    return re.sub(r"//[^\n]*", "", text)


def broken_rules(root):
    """One line for each breach."""
    faults = []
    owners = {name: set() for name in THIRD_PARTY}

    for path in files(root, "src", "include", "bindings", "examples"):
        name = path.relative_to(root).as_posix()
        text = without_comments(path.read_text(encoding="utf-8"))
        includes = INCLUDE.findall(text)
        layer = name.split("/")[1] if name.startswith("src/") else ""

        def fault(why):
            faults.append(f"{name}: {why}")

        if layer and layer not in LAYERS:
            fault("lies in none of the folders that the table names")
        for header in includes:
            top = header.split("/")[0]
            if layer in LAYERS and (root / "src" / header).is_file() and top not in (layer, *LAYERS[layer]):
                fault(f"{layer} includes {header}; {WHY[layer]}")
            if layer == "compose":
                if top == "system" and header not in PURE_SYSTEM:
                    fault(f"compose includes {header}; of the system it takes what is arithmetic")
                if IMPURE_STANDARD.match(header):
                    fault(f"compose includes <{header}>; it does no I/O and has no clock of its own")
            if name.startswith("include/") and not STANDARD_OR_OURS.match(header):
                fault(f"a public header includes {header}")
            if name == "src/api/c_api.cpp" and not STANDARD_OR_OURS.match(header):
                fault(f"includes {header}; the C interface is the first user of the C++ one")
            if name.startswith("bindings/") and (root / "src" / header).is_file():
                fault(f"a binding includes {header} from src")
            if name.startswith("bindings/") and header.startswith("yukha/") and header != "yukha/yukha.h":
                fault(f"a binding includes {header}; yukha.h is what it wraps")
            if re.match(r"examples/.*\.c$", name) and header.startswith("yukha/") and header != "yukha/yukha.h":
                fault(f"includes {header}; a C example knows yukha.h only")
            if name.startswith("examples/collector/") and header.startswith("yukha/"):
                fault(f"includes {header}; the collector is a reader of the contract in its own right")
            if header.startswith(NLOHMANN) and name.startswith(("src/", "include/")):
                fault(f"includes {header}; the library reads JSON itself, where numbers keep their text")
            if name.startswith("src/"):
                for third, begin in THIRD_PARTY.items():
                    if header.startswith(begin):
                        owners[third].add(name)

        if name.startswith(("src/", "include/")) and not name.startswith("src/system/"):
            for condition in CONDITION.findall(text):
                guard = name.endswith((".hpp", ".h")) and GUARD.match(condition)
                if not guard and not (name.startswith("include/") and VISIBILITY.match(condition)):
                    fault(f"#if{condition.rstrip()}; the platform shows only in src/system")

    for third, names in owners.items():
        if len(names) > 1:
            faults.append(f"{third}'s headers are included by {', '.join(sorted(names))}; by exactly one .cpp")
        faults += [f"{name}: a header includes {third}'s" for name in names if not name.endswith(".cpp")]
    return faults


# A file, and a line that must be found there.
BREACHES = [
    ("src/compose/planted.cpp", '#include "hold/ring.hpp"'),
    ("src/compose/planted.cpp", '#include "system/files.hpp"'),
    ("src/compose/planted.cpp", "#include <fstream>"),
    ("src/compose/planted.cpp", "#include <nlohmann/json.hpp>"),
    ("src/hold/planted.cpp", '#include "send/verdict.hpp"'),
    ("src/hold/planted.cpp", '  #  include "compose/line.hpp"'),
    ("src/hold/planted.cpp", '#include "core/core.hpp"'),
    ("src/hold/planted.cpp", "#include <sqlite3.h>"),
    ("src/send/planted.cpp", '#include "compose/text.hpp"'),
    ("src/send/planted.cpp", '#include "hold/queue/queue.hpp"'),
    ("src/intake/planted.cpp", '#include "pipeline/worker.hpp"'),
    ("src/pipeline/planted.cpp", '#include "compose/line.hpp"'),
    ("src/pipeline/planted.cpp", '#include "core/core.hpp"'),
    ("src/compose/planted.cpp", '#include "core/core.hpp"'),
    ("src/planted.cpp", "int planted;"),
    ("src/other/planted.cpp", "int planted;"),
    ("src/send/planted.cpp", "#include <curl/curl.h>"),
    ("src/send/planted.cpp", "#include <zlib.h>"),
    ("src/send/planted.cpp", "#include <openssl/sha.h>"),
    ("src/send/planted.cpp", "#ifdef _WIN32\n#endif"),
    ("src/send/planted.hpp", "#include <nlohmann/json.hpp>"),
    ("src/system/planted.cpp", '#include "hold/ring.hpp"'),
    ("src/system/planted.cpp", '#include "core/core.hpp"'),
    ("src/core/core.cpp", "#include <nlohmann/json.hpp>"),
    ("src/hold/ring.cpp", "#include <nlohmann/json.hpp>"),
    ("src/api/c_api.cpp", '#include "core/core.hpp"'),
    ("include/yukha/planted.hpp", "#include <nlohmann/json_fwd.hpp>"),
    ("include/yukha/planted.hpp", "#include <sqlite3.h>"),
    ("include/yukha/planted.hpp", "#if defined(_WIN32)\n#endif"),
    ("bindings/planted/planted.cpp", '#include "core/core.hpp"'),
    ("bindings/planted/planted.cpp", "#include <yukha/yukha.hpp>"),
    ("examples/collector/planted.cpp", "#include <yukha/version.hpp>"),
    ("examples/planted/planted.c", "#include <yukha/status.hpp>"),
]


def missed_breaches():
    missed = []
    with tempfile.TemporaryDirectory(prefix="yukha-layering-") as folder:
        for number, (name, line) in enumerate(BREACHES):
            root = pathlib.Path(folder) / str(number)
            for part in ("src", "include"):
                shutil.copytree(CHECKOUT / part, root / part)
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            before = path.read_text(encoding="utf-8") if path.exists() else ""
            path.write_text(before + "\n" + line + "\n", encoding="utf-8")
            if not any(name in fault for fault in broken_rules(root)):
                missed.append(f"{name} with {line!r} was not found out")
            shutil.rmtree(root)
    return missed


def main():
    faults = broken_rules(CHECKOUT) + missed_breaches()
    for fault in faults:
        print(f"FAIL {fault}")
    if not faults:
        print(f"the layers hold, and {len(BREACHES)} planted breaches were found")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
