"""Generates Python classes for the data of events: pydantic models that validate, or TypedDicts without a library."""

import keyword
import re
from collections.abc import Mapping
from typing import Final

from aob.core.answers import JsonValue
from aob.core.contract_model import ContractSet, EventContract

_WORD: Final = re.compile(r"[A-Za-z0-9]+")
_PLAIN: Final[Mapping[str, str]] = {
    "string": "str", "integer": "int", "number": "float", "boolean": "bool", "null": "None",
}  # fmt: skip
_BOUNDS: Final[Mapping[str, str]] = {
    "minimum": "ge", "maximum": "le", "exclusiveMinimum": "gt", "exclusiveMaximum": "lt", "minLength": "min_length",
    "maxLength": "max_length", "minItems": "min_length", "maxItems": "max_length", "pattern": "pattern",
    "multipleOf": "multiple_of",
}  # fmt: skip
_FORMATS: Final[Mapping[str, str]] = {"date-time": "AwareDatetime", "date": "date", "uuid": "UUID"}


def types_of(contracts: ContractSet, *, pydantic: bool = False) -> str:
    """The module. Class names are the types in CamelCase, with `V` and the version where there are several."""
    made = _Module(pydantic)
    for type, versions in sorted(contracts.events.items()):
        for version, contract in sorted(versions.items()):
            name = _name(type) + (f"V{version}" if len(versions) > 1 else "")
            made.event(name, contract)
    return made.text()


class _Module:
    """Collects classes in order of dependency."""

    def __init__(self, pydantic: bool) -> None:
        self._pydantic = pydantic
        self._classes: list[str] = []
        self._used: set[str] = set()
        self._imports: dict[str, set[str]] = {}

    def text(self) -> str:
        head = ['"""Data of events, made by `aob contract types`: do not edit."""', ""]
        for module, names in sorted(self._imports.items(), key=lambda each: (each[0] == "pydantic", each[0])):
            head.append(f"from {module} import {', '.join(sorted(names))}")
        return "\n".join([*head, "", *self._classes]).rstrip() + "\n"

    def event(self, name: str, contract: EventContract) -> None:
        about = contract.description or f"Data of `{contract.type}`, version {contract.version}."
        if contract.schema.get("properties"):
            self._object(name, contract.schema, about)
        else:
            self._classes += ["", f"{self._free(name)} = {self._type(name, contract.schema)}", ""]

    def _object(self, name: str, schema: Mapping[str, JsonValue], about: str = "") -> str:
        name = self._free(name)
        required = set(schema.get("required", ()))
        fields = [
            self._field(name, field, below if isinstance(below, Mapping) else {}, field in required)
            for field, below in schema["properties"].items()
        ]
        if not self._pydantic and any(not field.isidentifier() or keyword.iskeyword(field)
                                      for field in schema["properties"]):  # fmt: skip
            return self._functional(name, schema)
        base, config = "TypedDict", list[str]()
        if self._pydantic:
            told = "allow" if schema.get("additionalProperties", True) is not False else "forbid"
            base, config = "BaseModel", [f'    model_config = ConfigDict(extra="{told}", populate_by_name=True)', ""]
            self._need("pydantic", "BaseModel", "ConfigDict")
        else:
            self._need("typing", "TypedDict")
        self._classes += ["", f"class {name}({base}):", *([f'    """{_line(about)}"""', ""] if about else [])]
        self._classes += [*config, *(f"    {line}" for line in fields), *(["    pass"] if not fields else []), ""]
        return name

    def _functional(self, name: str, schema: Mapping[str, JsonValue]) -> str:
        """A TypedDict whose names are no valid attributes."""
        required = set(schema.get("required", ()))
        pairs = [
            f"{field!r}: {self._optional(self._type(name + _name(field), below), field in required)}"
            for field, below in schema["properties"].items()
        ]
        self._need("typing", "TypedDict")
        self._classes += ["", f"{name} = TypedDict({name!r}, {{{', '.join(pairs)}}})", ""]
        return name

    def _field(self, owner: str, field: str, schema: Mapping[str, JsonValue], required: bool) -> str:
        type = self._type(owner + _name(field), schema)
        if not self._pydantic:
            return f"{field}: {self._optional(type, required)}"
        name = field
        if not field.isidentifier() or keyword.iskeyword(field):
            name = f"field_{'_'.join(_WORD.findall(field)).lower() or 'x'}"
        if name.startswith(("_", "model_")):
            name = f"field_{name.lstrip('_')}"
        said = [f"{_BOUNDS[key]}={schema[key]!r}" for key in schema if key in _BOUNDS]
        if schema.get("format") in _FORMATS:
            said = []
        if name != field:
            said.insert(0, f"alias={field!r}")
        if not required:
            type, said = type if "None" in type else f"{type} | None", ["default=None", *said]
        if schema.get("description"):
            said.append(f"description={_line(str(schema['description']))!r}")
        if not said:
            return f"{name}: {type}"
        if said == ["default=None"]:
            return f"{name}: {type} = None"
        self._need("pydantic", "Field")
        return f"{name}: {type} = Field({', '.join(said)})"

    def _optional(self, type: str, required: bool) -> str:
        if required:
            return type
        self._need("typing", "NotRequired")
        return f"NotRequired[{type}]"

    def _type(self, name: str, schema: Mapping[str, JsonValue]) -> str:
        values = [schema["const"]] if "const" in schema else schema.get("enum")
        if values and all(isinstance(value, str | int | bool) or value is None for value in values):
            self._need("typing", "Literal")
            return f"Literal[{', '.join(map(repr, values))}]"
        kinds = schema.get("type")
        if isinstance(kinds, list):
            return " | ".join(self._type(name, {**schema, "type": kind}) for kind in kinds)
        if kinds == "string" and self._pydantic and schema.get("format") in _FORMATS:
            found = _FORMATS[schema["format"]]
            self._need({"AwareDatetime": "pydantic", "date": "datetime", "UUID": "uuid"}[found], found)
            return found
        if kinds in _PLAIN:
            return _PLAIN[str(kinds)]
        if kinds == "array":
            return f"list[{self._type(name + 'Item', schema.get('items') or {})}]"
        if kinds == "object" and schema.get("properties"):
            return self._object(name, schema)
        self._need("typing", "Any")
        return "dict[str, Any]" if kinds == "object" else "Any"

    def _need(self, module: str, *names: str) -> None:
        self._imports.setdefault(module, set()).update(names)

    def _free(self, name: str) -> str:
        made, number = name, 2
        while made in self._used:
            made, number = f"{name}{number}", number + 1
        self._used.add(made)
        return made


def _name(text: str) -> str:
    made = "".join(part[:1].upper() + part[1:] for part in _WORD.findall(text))
    return made if made and not made[0].isdigit() else f"E{made}"


def _line(text: str) -> str:
    return " ".join(text.split()).replace("\\", "\\\\").replace('"""', "'''").rstrip('"')
