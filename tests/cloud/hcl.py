"""A strict reader of HCL, as much of the language as terraform/ is written in: what it does not know is an error.

read(text) gives Block("", [], …), whose attributes are expressions (class Value) and whose blocks are Blocks.
Value.plain() is a constant as Python has it; Value.references() yields what an expression reads, with what a `for`
names itself left out.
"""
import dataclasses
import re


class Fault(Exception):
    pass


@dataclasses.dataclass
class Value:
    kind: str  # constant, template, list, object, call, get, index, splat, for, choice, operation, name
    parts: list
    line: int

    def plain(self):
        if self.kind == "constant":
            return self.parts[0]
        if self.kind == "list":
            return [part.plain() for part in self.parts]
        if self.kind == "object":
            return {key.parts[0] if key.kind == "name" else key.plain(): value.plain() for key, value in self.parts}
        raise Fault(f"line {self.line}: not a constant")

    def references(self, own=()):
        """Tuples as ("var", "name"), ("aws_lb", "api", "arn"): as far as names follow one another."""
        if self.kind == "name" and self.parts[0] not in own:
            yield (self.parts[0],)
        elif self.kind == "get":
            path, inner = [], self
            while inner.kind == "get":
                path.insert(0, inner.parts[1])
                inner = inner.parts[0]
            if inner.kind == "name":
                if inner.parts[0] not in own:
                    yield (inner.parts[0], *path)
            elif inner.kind in ("index", "splat"):  # aws_x.y[each.key].arn
                yield from inner.references(own)
            else:
                yield from inner.references(own)
        elif self.kind == "object":
            for key, value in self.parts:
                if key.kind != "name":
                    yield from key.references(own)
                yield from value.references(own)
        elif self.kind == "for":
            names, over, *rest = self.parts
            yield from over.references(own)
            for part in rest:
                if part is not None:
                    yield from part.references((*own, *names))
        elif self.kind != "constant":
            for part in self.parts:
                if isinstance(part, Value):
                    yield from part.references(own)


@dataclasses.dataclass
class Block:
    type: str
    labels: list
    attributes: dict
    blocks: list
    line: int
    file: str = ""

    def all(self, type):
        return [block for block in self.blocks if block.type == type]

    def one(self, type):
        found = self.all(type)
        if len(found) != 1:
            raise Fault(f"line {self.line}: {len(found)} blocks {type}")
        return found[0]

    def get(self, name):
        return self.attributes[name].plain()


TOKEN = re.compile(r"""(?P<space>[ \t]+|(?:\#|//)[^\n]*)|(?P<newline>\n)|(?P<number>\d+(?:\.\d+)?)|(?P<name>[A-Za-z_][A-Za-z0-9_-]*)
                     |(?P<quote>")|(?P<sign>\.\.\.|=>|==|!=|<=|>=|&&|\|\||[{}\[\]().,:?=<>!+*/%-])""", re.X)
ESCAPES = {"n": "\n", "t": "\t", '"': '"', "\\": "\\"}
BINDING = {"||": 1, "&&": 2, "==": 3, "!=": 3, "<": 4, ">": 4, "<=": 4, ">=": 4, "+": 5, "-": 5, "*": 6, "/": 6, "%": 6}


class Reader:
    def __init__(self, text):
        self.text, self.at, self.depth = text, 0, 0  # within brackets a line's end is a space

    def line(self):
        return self.text.count("\n", 0, self.at) + 1

    def fault(self, what):
        raise Fault(f"line {self.line()}: {what}: {self.text[self.at:self.at + 40]!r}")

    def peek(self):
        while True:
            found = TOKEN.match(self.text, self.at)
            if not found:
                return ("end", "", self.at) if self.at == len(self.text) else self.fault("not understood")
            if found.lastgroup == "space" or (found.lastgroup == "newline" and self.depth):
                self.at = found.end()
                continue
            return found.lastgroup, found.group(), found.end()

    def take(self, *wanted):
        kind, text, end = self.peek()
        if wanted and text not in wanted and kind not in wanted:
            self.fault(f"expected {' or '.join(repr(w) for w in wanted)}")
        self.at = end
        return text

    def sees(self, *texts):
        kind, text, _ = self.peek()
        return kind != "quote" and text in texts

    def skip_lines(self):
        while self.peek()[0] == "newline":
            self.take()

    def body(self, type, labels, line, closing):
        block = Block(type, labels, {}, [], line)
        while True:
            self.skip_lines()
            kind, text, _ = self.peek()
            if (kind == "end" and not closing) or (closing and kind == "sign" and text == "}"):
                return block
            at, name = self.line(), self.take("name")
            if self.sees("="):
                self.take()
                if name in block.attributes:
                    self.fault(f"{name} is given twice")
                block.attributes[name] = self.expression()
            else:
                inner = []
                while self.peek()[0] == "quote":
                    label = self.string()
                    inner.append(label.plain())
                self.take("{")
                depth, self.depth = self.depth, 0
                block.blocks.append(self.body(name, inner, at, True))
                self.take("}")
                self.depth = depth
            if not (closing and self.sees("}")) and self.peek()[0] != "end":
                self.take("newline")

    def string(self):
        line = self.line()
        self.take("quote")
        parts, text = [], ""
        while True:
            if self.at >= len(self.text) or self.text[self.at] == "\n":
                self.fault("a string without an end")
            rest = self.text[self.at:self.at + 3]
            if rest[0] == '"':
                self.at += 1
                break
            if rest[0] == "\\":
                if rest[1] not in ESCAPES:
                    self.fault("an unknown escape")
                text += ESCAPES[rest[1]]
                self.at += 2
            elif rest in ("$${", "%%{"):
                text += rest[1:]
                self.at += 3
            elif rest.startswith("%{"):
                self.fault("directives are not known here")
            elif rest.startswith("${"):
                self.at += 2
                parts += [Value("constant", [text], line)] if text else []
                text, depth, self.depth = "", self.depth, 1
                parts.append(self.expression())
                self.take("}")
                self.depth = depth
            else:
                text += rest[0]
                self.at += 1
        if not parts:
            return Value("constant", [text], line)
        return Value("template", parts + ([Value("constant", [text], line)] if text else []), line)

    def expression(self):
        condition = self.operation(0)
        if not self.sees("?"):
            return condition
        self.take()
        yes = self.expression()
        self.take(":")
        return Value("choice", [condition, yes, self.expression()], condition.line)

    def operation(self, least):
        left = self.unary()
        while True:
            kind, text, _ = self.peek()
            if kind != "sign" or BINDING.get(text, 0) <= least:
                return left
            self.take()
            left = Value("operation", [left, self.operation(BINDING[text])], left.line)

    def unary(self):
        if self.sees("!", "-"):
            line = self.line()
            self.take()
            return Value("operation", [self.unary()], line)
        value = self.primary()
        while True:
            if self.sees("."):
                self.take()
                value = Value("get", [value, self.take("name")], value.line)
            elif self.sees("["):
                self.take()
                self.depth += 1
                if self.sees("*"):
                    self.take()
                    value = Value("splat", [value], value.line)
                else:
                    value = Value("index", [value, self.expression()], value.line)
                self.depth -= 1
                self.take("]")
            else:
                return value

    def primary(self):
        kind, text, _ = self.peek()
        line = self.line()
        if kind == "quote":
            return self.string()
        if kind == "number":
            self.take()
            return Value("constant", [float(text) if "." in text else int(text)], line)
        if kind == "name":
            self.take()
            if text in ("true", "false", "null"):
                return Value("constant", [{"true": True, "false": False, "null": None}[text]], line)
            if not self.sees("("):
                return Value("name", [text], line)
            return Value("call", [text, *self.sequence("(", ")")], line)
        if text == "(":
            self.take()
            self.depth += 1
            value = self.expression()
            self.depth -= 1
            self.take(")")
            return value
        if text == "[":
            return self.for_each("[", "]", line) or Value("list", self.sequence("[", "]"), line)
        if text == "{":
            return self.for_each("{", "}", line) or self.object(line)
        self.fault("a value is missing")

    def sequence(self, opening, closing):
        self.take(opening)
        self.depth += 1
        values = []
        while not self.sees(closing):
            values.append(self.expression())
            if self.sees("..."):
                self.take()
            if not self.sees(closing):
                self.take(",")
        self.depth -= 1
        self.take(closing)
        return values

    def for_each(self, opening, closing, line):
        began = self.at
        self.take(opening)
        self.depth += 1
        if not self.sees("for"):
            self.at, self.depth = began, self.depth - 1
            return None
        self.take()
        names = [self.take("name")]
        if self.sees(","):
            self.take()
            names.append(self.take("name"))
        self.take("in")
        over = self.expression()
        self.take(":")
        first, second, condition = self.expression(), None, None
        if opening == "{":
            self.take("=>")
            second = self.expression()
        if self.sees("if"):
            self.take()
            condition = self.expression()
        self.depth -= 1
        self.take(closing)
        return Value("for", [names, over, first, second, condition], line)

    def object(self, line):
        self.take("{")
        depth, self.depth = self.depth, 0
        parts, seen = [], set()
        self.skip_lines()
        while not self.sees("}"):
            key = self.primary()
            name = key.parts[0] if key.kind in ("name", "constant") else None
            if name is not None and name in seen:
                self.fault(f"{name} is given twice")
            seen.add(name)
            self.take("=", ":")
            parts.append((key, self.expression()))
            if not self.sees("}"):
                self.take(",", "newline")
            self.skip_lines()
        self.depth = depth
        self.take("}")
        return Value("object", parts, line)


def read(text):
    return Reader(text).body("", [], 1, False)
