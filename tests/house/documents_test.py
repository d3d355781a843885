#!/usr/bin/env python3
"""What the README shows is what the examples are: every sample is a piece of a file that is built.

A sample in README.md has a comment of the form <!-- sample: FILE --> before it and equals, byte for byte, what stands in
that file between the lines `// [readme` and `// readme]`. Every C or C++ sample must have one, every file and folder the
README links to must be there, and its commands must be programs of this checkout.
"""
import pathlib
import re
import sys

CHECKOUT = pathlib.Path(__file__).resolve().parents[2]
SAMPLE = re.compile(r"(?:<!-- sample: (\S+) -->\n)?```(cpp|c\+\+|c)\n(.*?)```", re.DOTALL)
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
SCRIPT = re.compile(r"^\$? ?((?:examples|tests)/\S+\.sh)\b", re.MULTILINE)
LANGUAGES = {"cpp", "c", "sh", "text", "cmake", "sql", "json"}


def marked(path):
    found = re.search(r"^// \[readme\n(.*?)^// readme\]$", path.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    return found and found[1]


def faults_of(readme, where):
    faults = []
    samples = SAMPLE.findall(readme)
    for file, _, sample in samples:
        if not file:
            faults.append("a sample does not say which file it is from:\n" + sample[:200])
        elif not (CHECKOUT / file).is_file():
            faults.append(f"a sample is from {file}, which does not exist")
        elif marked(CHECKOUT / file) != sample:
            faults.append(f"a sample is not what stands in {file} between the marks")
    if not samples:
        faults.append("there is no sample")
    for fence in re.findall(r"^```(\w+)", readme, re.MULTILINE):
        if fence not in LANGUAGES:
            faults.append(f"a sample in {fence}, which no test knows")
    for link in LINK.findall(readme):
        if "://" not in link and not (where / link).exists():
            faults.append(f"a link to {link}, which does not exist")
    for script in SCRIPT.findall(readme):
        if not (CHECKOUT / script).is_file():
            faults.append(f"a command {script}, which does not exist")
    return faults


def main():
    readme = (CHECKOUT / "README.md").read_text(encoding="utf-8")
    faults = [f"README.md: {fault}" for fault in faults_of(readme, CHECKOUT)]
    if not faults and not faults_of(readme.replace("u_1842", "u_1843"), CHECKOUT):
        faults.append("a changed sample was not noticed")
    version = re.search(r'YUKHA_VERSION "(.*)"', (CHECKOUT / "include/yukha/version.hpp").read_text())[1]
    changes = (CHECKOUT / "CHANGELOG.md").read_text(encoding="utf-8")
    if not re.search(rf"^## \[{re.escape(version)}\]", changes, re.MULTILINE):
        faults.append(f"CHANGELOG.md has no entry for {version}")
    for page in ("include/EMBEDDING.md", "include/yukha/SETTINGS.md", "SECURITY.md", "src/send/CONTRACT.md", "examples/endpoint/README.md",
                 "tests/vectors/README.md", "tests/contract/README.md"):
        for link in LINK.findall((CHECKOUT / page).read_text(encoding="utf-8")):
            if "://" not in link and not (CHECKOUT / page).parent.joinpath(link).exists():
                faults.append(f"{page}: a link to {link}, which does not exist")
    # What FORMAT.md says is always true has a case that fails when it is not.
    page = " ".join((CHECKOUT / "src/hold/FORMAT.md").read_text(encoding="utf-8").split())
    watched = re.findall(r"\(`(\w+_test)`: ([^)]+)\)", page)
    if len(watched) < 20:
        faults.append(f"FORMAT.md names {len(watched)} cases, and should name one for nearly each of its sentences")
    for suite, case in watched:
        texts = [path.read_text(encoding="utf-8") for path in (CHECKOUT / "tests").glob(f"*/{suite}.cpp")]
        if not any(f'TEST_CASE("{case}"' in text for text in texts):
            faults.append(f"FORMAT.md names the case {case!r} of {suite}, which does not exist")
    # The oldest versions are said once to people and once to CMake.
    security = (CHECKOUT / "SECURITY.md").read_text(encoding="utf-8")
    asked = re.findall(r"find_package\((\w+) ([\d.]+) REQUIRED", (CHECKOUT / "CMakeLists.txt").read_text(encoding="utf-8"))
    if len(asked) != 5:
        faults.append(f"CMakeLists.txt asks for {len(asked)} libraries with a version, and not for 5")
    for library, oldest in asked:
        if not re.search(rf"\| {re.escape(oldest)}(\.0)? \|", security):
            faults.append(f"SECURITY.md has not the {oldest} of {library} that CMakeLists.txt asks for")
    for fault in faults:
        print(f"FAIL {fault}")
    if not faults:
        print("every sample is a built file, every link leads somewhere")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
