#!/usr/bin/env python3
"""The pages say what is so: samples are built, links lead somewhere, every status and every line of the log is explained.

A sample in README.md or GUIDE.md has a comment of the form <!-- sample: FILE [NAME] --> before it, and equals, but for its
indentation, what stands in that file between the lines `// [NAME` and `// NAME]` (`readme` where no name is given). Every
C or C++ sample there must have one. Links of all pages must lead to files, and to headings of them. A command of the
README must be a program of this checkout.
"""
import pathlib
import re
import subprocess
import sys
import textwrap

CHECKOUT = pathlib.Path(__file__).resolve().parents[2]
WITH_SAMPLES = ("README.md", "include/yukha/GUIDE.md")
README_LINES_MAX = 250
SAMPLE = re.compile(r"(?:<!-- sample: (\S+)(?: (\w+))? -->\n)?```(cpp|c\+\+|c)\n(.*?)```", re.DOTALL)
LINK = re.compile(r"\]\(([^)#\s]*)(?:#([^)]*))?\)")
SCRIPT = re.compile(r"^\$? ?((?:examples|tests)/\S+\.sh)\b", re.MULTILINE)
LANGUAGES = {"cpp", "c", "sh", "text", "cmake", "sql", "json"}
# What is said to a person, with the beginning of the text where it is written.
SAID = re.compile(r'(?:\bLogLevel::(?:info|warning|error),|tell\(|notice_? =|judgement\.words =[^;]*?)\s*"([^"]{10,})')


def read(page):
    return (CHECKOUT / page).read_text(encoding="utf-8")


def pages():
    listed = subprocess.run(["git", "-C", CHECKOUT, "ls-files", "*.md"], capture_output=True, text=True, check=False)
    found = listed.stdout.split("\n")[:-1] or [str(path.relative_to(CHECKOUT)) for path in CHECKOUT.rglob("*.md")
                                               if "build" not in path.relative_to(CHECKOUT).parts]
    return [page for page in found if (CHECKOUT / page).is_file()]


def anchors(page):
    """The headings as links name them: lower case, without marks, a hyphen for each blank."""
    text = re.sub(r"^```.*?^```", "", read(page), flags=re.DOTALL | re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")
            for heading in re.findall(r"^#+ (.*)$", text, re.MULTILINE)}


def marked(file, name):
    found = re.search(rf"^ *// \[{name}\n(.*?)^ *// {name}\]$", read(file), re.DOTALL | re.MULTILINE)
    return found and textwrap.dedent(found[1])


def faults_of_samples(text):
    faults = []
    samples = SAMPLE.findall(text)
    for file, name, _, sample in samples:
        if not file:
            faults.append("a sample does not say which file it is from:\n" + sample[:200])
        elif not (CHECKOUT / file).is_file():
            faults.append(f"a sample is from {file}, which does not exist")
        elif marked(file, name or "readme") != sample:
            faults.append(f"a sample is not what stands in {file} between the marks {name or 'readme'}")
    if not samples:
        faults.append("there is no sample")
    for fence in re.findall(r"^```(\w+)", text, re.MULTILINE):
        if fence not in LANGUAGES:
            faults.append(f"a sample in {fence}, which no test knows")
    return faults


def faults_of_links(page, text):
    faults = []
    for link, anchor in LINK.findall(text):
        if "://" in link:
            continue
        target = (CHECKOUT / page).parent / link if link else CHECKOUT / page
        if not target.exists():
            faults.append(f"a link to {link}, which does not exist")
        elif anchor and target.suffix == ".md" and anchor not in anchors(target.resolve().relative_to(CHECKOUT)):
            faults.append(f"a link to #{anchor} of {link or page}, which has no such heading")
    return faults


def faults_of_guide(guide):
    """Each status code with its number, and each text that the log or an attempt to deliver may say."""
    faults = []
    for name, number in re.findall(r"^  (\w+) = (-?\d+),", read("include/yukha/status.hpp"), re.MULTILINE):
        if f"| `{name}` {number} |" not in guide:
            faults.append(f"no row for the status {name} {number}")
    explained = [text for cell in re.findall(r"^\| (.*?) \|", guide, re.MULTILINE) for text in re.findall("`([^`]+)`", cell)]
    beginnings = [re.split(" ?…", text)[0] for text in explained]
    sources = list((CHECKOUT / "src").rglob("*.cpp"))
    said = {text for source in sources for text in SAID.findall(source.read_text(encoding="utf-8"))}
    if len(said) < 15:
        faults.append(f"only {len(said)} texts of the log were found in the sources")
    for text in sorted(said):
        if not any(start and text.startswith(start.rstrip(":")) for start in beginnings):
            faults.append(f"nothing explains what the log may say: {text}")
    return faults


def main():
    faults = []
    for page in pages():
        faults += [f"{page}: {fault}" for fault in faults_of_links(page, read(page))]
    for page in WITH_SAMPLES:
        text = read(page)
        faults += [f"{page}: {fault}" for fault in faults_of_samples(text)]
        if not faults and not faults_of_samples(text.replace("u_1842", "u_1843")):
            faults.append(f"{page}: a changed sample was not noticed")
    readme, guide = read("README.md"), read("include/yukha/GUIDE.md")
    for script in SCRIPT.findall(readme):
        if not (CHECKOUT / script).is_file():
            faults.append(f"README.md: a command {script}, which does not exist")
    if readme.count("\n") > README_LINES_MAX:
        faults.append(f"README.md has {readme.count(chr(10))} lines, of at most {README_LINES_MAX}")
    faults += [f"GUIDE.md: {fault}" for fault in faults_of_guide(guide)]
    if not faults_of_guide(guide.replace("| `ring_full` -1 |", "| |").replace("`the queue is at its limit", "`")):
        faults.append("GUIDE.md: a row that was taken out was not noticed")
    version = re.search(r'YUKHA_VERSION "(.*)"', read("include/yukha/version.hpp"))[1]
    if not re.search(rf"^## \[{re.escape(version)}\]", read("CHANGELOG.md"), re.MULTILINE):
        faults.append(f"CHANGELOG.md has no entry for {version}")
    # What FORMAT.md says is always true has a case that fails when it is not.
    watched = re.findall(r"\(`(\w+_test)`: ([^)]+)\)", " ".join(read("src/hold/FORMAT.md").split()))
    if len(watched) < 20:
        faults.append(f"FORMAT.md names {len(watched)} cases, and should name one for nearly each of its sentences")
    for suite, case in watched:
        texts = [path.read_text(encoding="utf-8") for path in (CHECKOUT / "tests").glob(f"*/{suite}.cpp")]
        if not any(f'TEST_CASE("{case}"' in text for text in texts):
            faults.append(f"FORMAT.md names the case {case!r} of {suite}, which does not exist")
    # The oldest versions are said once to people and once to CMake.
    security = read("SECURITY.md")
    asked = re.findall(r"find_package\((\w+) ([\d.]+) REQUIRED", read("CMakeLists.txt"))
    if len(asked) != 5:
        faults.append(f"CMakeLists.txt asks for {len(asked)} libraries with a version, and not for 5")
    for library, oldest in asked:
        if not re.search(rf"\| {re.escape(oldest)}(\.0)? \|", security):
            faults.append(f"SECURITY.md has not the {oldest} of {library} that CMakeLists.txt asks for")
    for fault in faults:
        print(f"FAIL {fault}")
    if not faults:
        print("every sample is a built file, every link leads somewhere, every status and line of the log is explained")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
