"""Tables of the parameters of tasks, from the tasks themselves.

Three directives, each without arguments: ``task-parameters``,
``shared-sections`` and ``directory-variables``.
"""

import importlib
import inspect
import re
from collections.abc import Callable, Iterable, Iterator

import law
import luigi
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from aframe import config
from aframe.base import AframeTask
from aframe.workflows import WORKFLOWS, AframeWorkflow

MODULES = ("aframe.tasks", "aframe.pipelines.sandbox")
"""What makes luigi know all tasks."""

GROUPS: dict[type, str] = {
    AframeTask: "Every task",
    AframeWorkflow: "Every task with branches",
}
"""Tasks whose parameters many have, and are described once."""

KINDS: dict[str, str] = {
    "Parameter": "text",
    "BoolParameter": "true or false",
    "CSVParameter": "values, separated by commas",
    "DictParameter": "mapping, in JSON",
    "DurationParameter": "time with its unit, such as 30s or 2h",
    "FloatParameter": "number",
    "IntParameter": "whole number",
    "ListParameter": "list, in JSON",
    "MultiRangeParameter": "ranges such as 0:3, separated by commas",
    "OptionalFloatParameter": "number or empty",
    "OptionalIntParameter": "whole number or empty",
    "LocalPathParameter": "path of this machine",
    "PathParameter": "path, or s3://bucket/key",
    "PathsParameter": "mapping to paths of this machine, in JSON",
    "TaskParameter": "name of a task",
    "WorkflowParameter": "one of " + ", ".join(WORKFLOWS),
}
"""Words for what a parameter accepts, by its class or one it is made of."""

_UNIT = re.compile(r", (s|Hz|MB|MiB|GB|solar masses)(?=;| as |$)")
_CHOICES = re.compile(r" Choices: \{.*\}$")


def tasks() -> list[type[AframeTask]]:
    """All tasks that can be run, by name."""
    return [
        family
        for family in _families()
        if issubclass(family, AframeTask) and not family.exclude_index
    ]


def sections() -> list[type[luigi.Config]]:
    """All sections that belong to no task, by name."""
    return [
        family for family in _families() if issubclass(family, luigi.Config)
    ]


def _families() -> list[type]:
    for module in MODULES:
        importlib.import_module(module)
    known = luigi.task_register.Register._get_reg()
    return [
        family
        for _, family in sorted(known.items(), key=lambda i: i[0].lower())
        if isinstance(family, type) and family.__module__.startswith("aframe.")
    ]


def group(task: type[AframeTask]) -> type[AframeTask]:
    """The group whose parameters a task shares."""
    return next(g for g in reversed(GROUPS) if issubclass(task, g))


def own_parameters(task: type) -> dict[str, luigi.Parameter]:
    """Parameters of a task that are not those of its group, by name."""
    shared = dict(group(task).get_params())
    return {
        name: parameter
        for name, parameter in task.get_params()
        if shared.get(name) is not parameter
    }


def kind(parameter: luigi.Parameter) -> str:
    """What a parameter accepts, in words.

    Raises:
        LookupError: if there are no words for its class.
    """
    if isinstance(parameter, luigi.ChoiceParameter):
        words = sorted(filter(None, map(str, parameter._choices)))
        return "one of " + ", ".join(words)
    for cls in type(parameter).__mro__:
        accepted = vars(cls).get("accepted")
        if cls.__name__ in KINDS:
            return KINDS[cls.__name__]
        if accepted:
            return getattr(parameter, "accepted", accepted)
    raise LookupError(f"no words for {type(parameter).__name__}")


def default(parameter: luigi.Parameter) -> str | None:
    """The default as a configuration file would give it.

    Returns:
        None where there is no default.
    """
    value = parameter._default
    if value is luigi.parameter._no_value:
        return None
    if value is None or value == law.NO_STR:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return str(parameter.serialize(value))


def description(parameter: luigi.Parameter) -> tuple[str, str]:
    """What a parameter means, and its unit, which may be empty."""
    text = _CHOICES.sub("", parameter.description or "")
    unit = _UNIT.search(text)
    return _UNIT.sub("", text), unit[1] if unit else ""


def _inline(text: str) -> Iterator[nodes.Node]:
    """Text in which double backquotes mark code."""
    for index, part in enumerate(text.split("``")):
        if part:
            yield nodes.literal("", part) if index % 2 else nodes.Text(part)


def _first_paragraph(cls: type) -> nodes.paragraph:
    text = inspect.cleandoc(cls.__doc__ or "").split("\n\n")[0]
    return nodes.paragraph("", "", *_inline(text.replace("\n", " ")))


def _links(text: str, links: dict[str, str]) -> nodes.paragraph:
    """A paragraph of links to sections of the page, by their id."""
    children: list[nodes.Node] = [nodes.Text(text)]
    for index, (target, name) in enumerate(links.items()):
        children += [nodes.Text(", ")] if index else []
        children.append(nodes.reference("", name, refid=target, internal=True))
    return nodes.paragraph("", "", *children)


def _table(
    heads: Iterable[str], rows: Iterable[list[list[nodes.Node]]]
) -> nodes.table:
    """A table of rows, of cells, of inline nodes."""
    heads = list(heads)
    body = nodes.tbody()
    head = nodes.thead("", _row([[nodes.Text(h)] for h in heads]))
    body += [_row(cells) for cells in rows]
    columns = [nodes.colspec(colwidth=1) for _ in heads]
    columns_group = nodes.tgroup("", *columns, head, body, cols=len(heads))
    return nodes.table("", columns_group, classes=["parameters"])


def _row(cells: list[list[nodes.Node]]) -> nodes.row:
    return nodes.row(
        "", *(nodes.entry("", nodes.paragraph("", "", *c)) for c in cells)
    )


def _parameter_row(
    family: str, name: str, parameter: luigi.Parameter
) -> list[list[nodes.Node]]:
    text, unit = description(parameter)
    value = default(parameter)
    shown = {
        None: nodes.emphasis("", "required"),
        "": nodes.emphasis("", "empty"),
    }
    return [
        [nodes.literal("", name, ids=[f"{family}.{name}"])],
        [nodes.Text(kind(parameter))],
        [nodes.Text(unit)],
        [shown.get(value) or nodes.literal("", value)],
        list(_inline(text)),
    ]


def _parameters(
    family: str, parameters: dict[str, luigi.Parameter]
) -> nodes.table:
    return _table(
        ("name", "value", "unit", "default", "meaning"),
        (
            _parameter_row(family, name, parameter)
            for name, parameter in parameters.items()
        ),
    )


def _section(name: str, title: str, *content: nodes.Node) -> nodes.section:
    return nodes.section(
        "", nodes.title("", title), *content, ids=[name], names=[name]
    )


def task_parameters() -> list[nodes.Node]:
    """A section for each group of shared parameters, and for each task."""
    return [*_groups(), *map(_task, tasks())]


def _groups() -> Iterator[nodes.section]:
    seen: set[str] = set()
    for cls, title in GROUPS.items():
        shared = {n: p for n, p in cls.get_params() if n not in seen}
        seen |= set(shared)
        of_law = {name for name in shared if _is_of_law(cls, name)}
        yield _section(
            cls.__name__,
            title,
            _parameters(
                cls.__name__,
                {n: p for n, p in shared.items() if n not in of_law},
            ),
            nodes.paragraph("", "Those of law itself:"),
            _parameters(
                cls.__name__, {n: p for n, p in shared.items() if n in of_law}
            ),
        )


def _is_of_law(cls: type, name: str) -> bool:
    owner = next(base for base in cls.__mro__ if name in vars(base))
    return owner.__module__.startswith("law.")


def _task(task: type[AframeTask]) -> nodes.section:
    family = task.get_task_family()
    content: list[nodes.Node] = [_first_paragraph(task)]
    if task.config_sections:
        text = f"What [luigi_{family}] does not have is taken from "
        names = {name: f"[luigi_{name}]" for name in task.config_sections}
        content.append(_links(text, names))
    required = [t.get_task_family() for t in task.reqs.values()]
    if required:
        content.append(_links("Requires: ", {n: n for n in required}))
    shared = group(task)
    content.append(
        _links(
            "Parameters: those of ", {shared.__name__: GROUPS[shared].lower()}
        )
    )
    own = own_parameters(task)
    if own:
        content[-1].append(nodes.Text(", and"))
        content.append(_parameters(family, own))
    return _section(family, family, *content)


def shared_sections() -> list[nodes.Node]:
    """A section for each section that belongs to no task."""
    return [
        _section(
            section.get_task_family(),
            f"[luigi_{section.get_task_family()}]",
            _first_paragraph(section),
            _parameters(section.get_task_family(), dict(section.get_params())),
        )
        for section in sections()
    ]


def directory_variables() -> list[nodes.Node]:
    """A table of the variables that give a run its directories."""
    parameters = dict(config.paths.get_params())
    rows = (
        [
            [nodes.literal("", variable)],
            [nodes.literal("", name)],
            [nodes.Text(parameters[name].description)],
        ]
        for name, variable in config.DIRECTORY_VARIABLES.items()
    )
    return [_table(("variable", "in [luigi_paths]", "what is there"), rows)]


def _directive(make: Callable[[], list[nodes.Node]]) -> type[SphinxDirective]:
    class Directive(SphinxDirective):
        def run(self) -> list[nodes.Node]:
            # Made anew in each build: what it shows is not in this file.
            self.env.note_reread()
            return make()

    return Directive


def setup(app: Sphinx) -> dict[str, bool]:
    """Add the directives."""
    app.add_directive("task-parameters", _directive(task_parameters))
    app.add_directive("shared-sections", _directive(shared_sections))
    app.add_directive("directory-variables", _directive(directory_variables))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
