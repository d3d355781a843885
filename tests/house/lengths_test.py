#!/usr/bin/env python3
"""No class of src and include has more than 25 fields or 400 lines, and no function more than 60, without a reason.

The table below has each exception with its reason. A new one without a reason fails, and so does a reason that is not
needed any more. A class's lines are those of its definition and of its member functions in other files; static members
are no fields. Lines are counted as an editor shows them.

    tests/house/lengths_test.py           the check, and planted breaches that it must find
    tests/house/lengths_test.py --list    the largest classes and functions
"""
import argparse
import collections
import pathlib
import re
import sys
import tempfile

CHECKOUT = pathlib.Path(__file__).resolve().parents[2]
FIELDS_MAX, CLASS_LINES_MAX, FUNCTION_LINES_MAX = 25, 400, 60

# Names without yukha::.
CLASSES = {
    "Config": "each field is a setting of the app's; it has no state and no code but their defaults",
    "detail::Core": "each call of the tracker is a method that takes a lock, checks, and hands on; opening, suspension and"
                    " the library's own sentences are files of their own, and what has state is an object that it owns",
    "detail::Intake": "one lock guards all of it; what can decide without the others (session, sampling, clock note, open"
                      " timed events) is an object, and the sentence's way is a file of its own",
    "hold::Directory": "opening, settling on a device and every change share one connection, its turn at directory.lock"
                       " and what was last read; what needs none of them stands in statements and carried",
    "hold::Lane": "opening, erasing, repairing and making again rename the same files under the same lock, and each"
                  " has to know where a kill may have cut the others off",
    "hold::Queue": "a method is one transaction, and changes rows, ledger and memory together; what needs none stands"
                   " beside it in hold/queue",
    "hold::Ring": "appending and reading back share one mapping and both of its ends; two classes would share each field",
}
FUNCTIONS = {
    "fill_from_json": "a list of a sentence's parts, one branch for each",
    "send::CurlTransport::start": "a list of curl's options, each with its value and the reason for it",
    "send::judge": "a table of statuses, one branch for each",
}


class Malformed(Exception):
    pass


def blank(text):
    """Comments, texts, characters and preprocessor lines become blanks; lines stay where they are."""
    def blanks(found):
        return re.sub(r"[^\n]", " ", found[0])

    token = re.compile(
        r'//[^\n]*|/\*.*?\*/'
        r'|R"(?P<mark>[^()\s\\]*)\(.*?\)(?P=mark)"'
        r'|"(?:[^"\\\n]|\\.)*"'
        r"|(?<![0-9A-Fa-f])'(?:[^'\\\n]|\\.)+'", re.DOTALL)
    text = token.sub(blanks, text)
    text = re.sub(r"(?<=[0-9A-Fa-f])'(?=[0-9A-Fa-f])", " ", text)  # 1'000
    return re.sub(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", blanks, text, flags=re.MULTILINE)


def without(opening, closing, text):
    """What stands outside of such brackets."""
    kept, depth = [], 0
    for letter in text:
        depth += letter == opening
        if depth == 0:
            kept.append(letter)
        depth -= letter == closing and depth > 0
    return "".join(kept)


def declared(head):
    """A declaration's words without attributes, template parameters and arguments."""
    head = re.sub(r"operator\s*(\(\s*\)|[^\s\w(]+)", "operator_", head)
    head = re.sub(r"\[\[.*?\]\]", " ", head, flags=re.DOTALL)
    head = re.sub(r"\balignas\s*\([^()]*\)", " ", head)
    # YUKHA_GUARDED_BY(mutex_) and its like.
    head = re.sub(r"\b[A-Z][A-Z0-9]*_[A-Z0-9_]+\s*(\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\))?", " ", head)
    return without("<", ">", head.replace("->", "  ").replace("<=", "  ").replace(">=", "  ")).strip()


class Class:
    def __init__(self, name, where):
        self.name, self.where, self.fields, self.lines = name, where, 0, 0


class Scanner:
    """Follows braces. Inside of a function only their number counts."""
    def __init__(self):
        self.classes = {}
        self.functions = []  # name, lines, where
        self.members = []    # class, name, lines

    def read(self, name, text):
        self.text, self.name = blank(text), name
        self.at = 0
        self.scope([], None)
        if self.at != len(self.text):
            raise Malformed(f"{name}: a brace too many in line {self.line(self.at)}")

    def line(self, at):
        return self.text.count("\n", 0, at) + 1

    def skip_braces(self):
        """From an opening brace to behind the one that closes it."""
        depth = 0
        for found in re.compile(r"[{}]").finditer(self.text, self.at):
            depth += 1 if found[0] == "{" else -1
            if depth == 0:
                self.at = found.end()
                return
        raise Malformed(f"{self.name}: no brace closes the one in line {self.line(self.at)}")

    def scope(self, names, inside):
        """Declarations up to a closing brace or the end. `inside` is the class around them."""
        start, head, parens = self.at, "", 0
        while self.at < len(self.text):
            letter = self.text[self.at]
            if letter == "}" and parens == 0:
                return
            if letter == "{":
                head, start = self.brace(names, inside, head, start, parens)
                continue
            self.at += 1
            if letter == ";" and parens == 0:
                self.declaration(inside, head)
                head, start = "", self.at
                continue
            if letter == ":" and parens == 0 and re.fullmatch(r"\s*(public|private|protected)\s*", head):
                head, start = "", self.at
                continue
            parens += (letter == "(") - (letter == ")")
            head += letter

    def brace(self, names, inside, head, start, parens):
        begin = self.at
        words = declared(head)
        if parens == 0:
            if re.search(r"\bnamespace\b", words) or re.fullmatch(r"\s*extern\s*", head):
                found = re.search(r"namespace\s+([\w:]+)", words)
                self.at += 1
                self.scope(names + (found[1].split("::") if found else []), None)
                self.close(begin)
                return "", self.at
            if re.match(r"(template\s*)?(class|struct|union)\b", words) and "(" not in words:
                return self.class_(names, words, start)
            if self.is_function(head, words):
                self.skip_braces()
                self.function(names, inside, words, start)
                return "", self.at
        # An enum's names, an initializer, an argument.
        self.skip_braces()
        return head + "{}", start

    def close(self, begin):
        if self.at >= len(self.text):
            raise Malformed(f"{self.name}: no brace closes the one in line {self.line(begin)}")
        self.at += 1

    @staticmethod
    def is_function(head, words):
        if "(" not in words or re.match(r"enum\b", words) or re.search(r"=\s*$", head):
            return False
        outside = without("(", ")", words)
        if re.search(r"(?<![=<>!])=(?!=)", outside):
            return bool(re.search(r"\)\s*(mutable|noexcept)?\s*$", head))  # a lambda with a name
        last = re.search(r"[\w>]+$", head.rstrip())
        initializes = re.search(r"(?<!:):(?!:)", outside)  # a constructor's members
        return not (initializes and last and last[0] not in ("const", "noexcept", "override", "final"))

    def first_line(self, start):
        return self.line(start + len(self.text[start:]) - len(self.text[start:].lstrip()))

    def class_(self, names, words, start):
        found = re.match(r"(?:template\s*)?(?:class|struct|union)\s+([\w:]*)", words)
        whole = "::".join(names + [found[1] or "?"])
        one = self.classes.setdefault(whole, Class(whole, f"{self.name}:{self.first_line(start)}"))
        begin = self.at
        self.at += 1
        self.scope(names + [found[1] or "?"], one)
        self.close(begin)
        one.lines += self.line(self.at - 1) - self.first_line(start) + 1
        return "", self.at  # `struct {…} name;` has no place here: such a name would be a field that nobody counts

    def function(self, names, inside, words, start):
        found = re.search(r"((?:\w+\s*::\s*)*~?\w+)\s*\(", words)
        name = re.sub(r"\s", "", found[1]) if found else "?"
        whole = "::".join(names + [name])
        lines = self.line(self.at - 1) - self.first_line(start) + 1
        self.functions.append((whole, lines, f"{self.name}:{self.first_line(start)}"))
        if inside is None and "::" in name:
            self.members.append((whole.rsplit("::", 1)[0], lines))

    @staticmethod
    def fields_of(head):
        words = declared(head)
        if not words or re.match(
                r"(using|friend|static|typedef|template|constexpr|enum|class|struct|union|static_assert)\b", words):
            return 0
        pointer = re.search(r"\(\s*\*", words)  # to a function
        words = re.sub(r"\{\}", "", words)
        words = re.sub(r"(?<![=<>!])=(?!=).*?(?=,\s*\w+\s*[=,]|$)", "", words, flags=re.DOTALL)
        if "(" in words and not pointer:
            return 0
        return 1 if pointer else 1 + without("[", "]", words).count(",")

    def declaration(self, inside, head):
        if inside is not None:
            inside.fields += self.fields_of(head)

    def total(self):
        for name, lines in self.members:
            if name in self.classes:
                self.classes[name].lines += lines


def scan(root):
    scanner = Scanner()
    for folder in ("src", "include"):
        for path in sorted((root / folder).rglob("*")):
            if path.suffix in (".cpp", ".hpp", ".h"):
                scanner.read(path.relative_to(root).as_posix(), path.read_text(encoding="utf-8"))
    scanner.total()
    return scanner


def short(name):
    return re.sub(r"^yukha::", "", name)


def over(scanner):
    """Names of classes and functions over the limits, with what is said of each."""
    classes, functions = {}, collections.defaultdict(str)
    for one in scanner.classes.values():
        if one.fields > FIELDS_MAX or one.lines > CLASS_LINES_MAX:
            classes[short(one.name)] = f"{one.fields} fields, {one.lines} lines ({one.where})"
    for name, lines, where in scanner.functions:
        if lines > FUNCTION_LINES_MAX:
            functions[short(name)] += f"{lines} lines ({where}) "
    return classes, functions


def faults_of(root, reasons_of_classes, reasons_of_functions):
    classes, functions = over(scan(root))
    faults = []
    for what, found, reasons in (("class", classes, reasons_of_classes), ("function", functions, reasons_of_functions)):
        faults += [f"{what} {name} has {found[name].strip()}, and no reason" for name in found if name not in reasons]
        faults += [f"{what} {name} has a reason it does not need any more" for name in reasons if name not in found]
        faults += [f"{what} {name} has an empty reason" for name, reason in reasons.items() if len(reason.split()) < 5]
    return faults


# What must be found in a file, and what must not.
LONG = "\n".join(["  f();"] * 60)
FIELDS = "\n".join(f"  int field_{i}_ = {{}};" for i in range(25))
PLANTED = [
    ("void f() {\n" + LONG + "\n}", "function f"),
    ("namespace a::b {\nnamespace {\nint f(int x = 3) noexcept {\n" + LONG + "\n}\n}\n}", "function a::b::f"),
    ("struct A {\n  A() : a_{1}, b_(2) {\n" + LONG + "\n  }\n  int a_, b_;\n};", "function A::A"),
    ("template <typename T>\nauto A<T>::f(std::map<int, T> x) const -> decltype(x) {\n" + LONG + "\n}", "function A::f"),
    ("struct A {\n  bool operator==(const A& other) const {\n" + LONG + "\n  }\n};", "function A::operator_"),
    ("const auto f = [](int x) {\n" + LONG + "\n};", "function"),
    ("class A final : public B {\n" + FIELDS + "\n  std::function<void(int)> more_;\n};", "class A"),
    ("class A {\n" + FIELDS + "\n  Map<int, int> more_ YUKHA_GUARDED_BY(mutex_);\n};", "class A"),
    ("class A {\n" + FIELDS + "\n  void (*more)(int);\n};", "class A"),
    ("class A {\n" + FIELDS + "\n  void f();\n  static int s_;\n  using X = int;\n  enum class E { a, b };\n};", ""),
    ("class A {\n" + FIELDS + "\n  struct Inner {\n    int x;\n  };\n  bool f() const { return x_ == 0; }\n};", ""),
    ("class A {\n" + "  // a comment {\n" * 400 + "};", "class A"),
    ("class A {\n" + "\n" * 380 + "};\nvoid A::f() {\n" + "\n" * 30 + "}", "class A"),
    ("const char* text = \"{\";\nconst char open = '{';\nint n = 1'000;\nvoid f() {\n  g(R\"({)\");\n}", ""),
    ("constexpr int table[] = {\n" + "\n".join(["  1,"] * 100) + "\n};", ""),
]


def missed_breaches():
    missed = []
    with tempfile.TemporaryDirectory(prefix="yukha-lengths-") as folder:
        root = pathlib.Path(folder)
        (root / "src").mkdir()
        (root / "include").mkdir()
        for text, wanted in PLANTED:
            (root / "src/planted.cpp").write_text(text + "\n", encoding="utf-8")
            faults = faults_of(root, {}, {})
            if (len(faults) == 1 and faults[0].startswith(wanted)) if wanted else not faults:
                continue
            missed.append(f"wanted {wanted!r} and found {faults} in {text[:100]!r}…")
        (root / "src/planted.cpp").write_text("void f() {\n}\n", encoding="utf-8")
        if len(faults_of(root, {}, {"f": "a reason for what is short by now"})) != 1:
            missed.append("a reason that is not needed any more was not found")
    return missed


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--list", action="store_true")
    if parser.parse_args().list:
        scanner = scan(CHECKOUT)
        for one in sorted(scanner.classes.values(), key=lambda one: -one.lines)[:25]:
            print(f"{one.lines:5} lines {one.fields:3} fields  {short(one.name)}  {one.where}")
        for one in sorted(scanner.classes.values(), key=lambda one: -one.fields)[:12]:
            print(f"{one.lines:5} lines {one.fields:3} fields  {short(one.name)}  {one.where}")
        for name, lines, where in sorted(scanner.functions, key=lambda one: -one[1])[:25]:
            print(f"{lines:5} lines  {short(name)}  {where}")
        print(f"{len(scanner.classes)} classes, {len(scanner.functions)} functions")
        return 0
    faults = faults_of(CHECKOUT, CLASSES, FUNCTIONS) + missed_breaches()
    for fault in faults:
        print(f"FAIL {fault}")
    if not faults:
        print(f"nothing is too large without a reason; {len(CLASSES)} classes and {len(FUNCTIONS)} functions have one;"
              f" {len(PLANTED)} planted lengths were measured")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
