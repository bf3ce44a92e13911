"""Who may import whom, read from the sources, and what the light commands leave unimported."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parent.parent

# From the ground up: a module imports from the lines above its own, never from its own line or below.
# A package that is listed without its modules stands for all of them.
ROOMS = (
    ("kerashw", "tuning"),
    ("kerashw.errors", "kerashw.schema", "kerashw.interrupts", "kerashw.seeds", "kerashw.rules", "kerashw.evaluation",
     "kerashw.batches", "kerashw.silence", "kerashw.ahead", "kerashw.machine", "kerashw.pareto", "kerashw.latency",
     "kerashw.bundles", "kerashw.ensemble", "kerashw.fused"),
    ("kerashw.database", "kerashw.objectives"),
    ("kerashw.progress", "kerashw.commands", "kerashw.splits", "kerashw.store", "kerashw.augment", "kerashw.space",
     "kerashw.narrowing", "kerashw.locks", "kerashw.risk", "kerashw.averaging"),
    ("kerashw.diagnosis", "kerashw.probes.kinds", "kerashw.framing", "kerashw.sources", "kerashw.verdict",
     "kerashw.paired", "kerashw.advice", "kerashw.selection"),
    ("kerashw.run", "kerashw.settings", "kerashw.values", "kerashw.layers", "kerashw.loop", "kerashw.optimizers"),
    ("kerashw.figures.style", "kerashw.importance", "kerashw.regularization", "kerashw.tradeoff"),
    ("kerashw.figures.bands", "kerashw.figures.sheets", "kerashw.figures.trials"),
    ("kerashw.figures.activations", "kerashw.figures.attributions", "kerashw.figures.classes"),
    ("kerashw.figures.columns", "kerashw.figures.curves", "kerashw.figures.gradients", "kerashw.figures.images"),
    ("kerashw.figures.front",),
    ("kerashw.figures.kernels", "kerashw.figures.points", "kerashw.figures.progress", "kerashw.figures.residuals"),
    ("kerashw.figures.settings", "kerashw.figures.tables", "kerashw.figures.units", "kerashw.figures.weights"),
    ("kerashw.figures",),
    ("kerashw.drawing",),
    ("kerashw.probes.graph",),
    ("kerashw.probes.weights", "kerashw.probes.activations", "kerashw.probes.linear", "kerashw.probes.reach"),
    ("kerashw.probes.fields", "kerashw.probes.maximisation", "kerashw.probes.attribution"),
    ("kerashw.probes.crops",),
    ("kerashw.probes",),
    ("kerashw.gradcheck", "kerashw.callbacks.moments", "kerashw.callbacks.tiles"),
    ("kerashw.callbacks.export",),
    ("kerashw.callbacks.activations", "kerashw.callbacks.answers", "kerashw.callbacks.weights"),
    ("kerashw.callbacks",),
    ("kerashw.datasets.known", "kerashw.datasets.dataset", "kerashw.datasets.network", "kerashw.datasets.garments"),
    ("kerashw.datasets.idx", "kerashw.datasets.npz", "kerashw.datasets.tables", "kerashw.datasets.standins"),
    ("kerashw.datasets.folder", "kerashw.datasets.downloads"),
    ("kerashw.datasets.loading",),
    ("kerashw.datasets",),
    ("kerashw.study", "kerashw.models", "kerashw.items", "kerashw.tensorboard", "kerashw.reuse"),
    ("kerashw.building", "kerashw.scores", "kerashw.leaderboard", "kerashw.formats.served", "kerashw.formats.exports",
     "kerashw.formats.keras_file"),
    ("kerashw.formats.saved_model", "kerashw.formats.litert", "kerashw.formats.onnx"),
    ("kerashw.formats.writing",),
    ("kerashw.formats",),
    ("kerashw.training", "kerashw.provenance", "kerashw.recovery", "kerashw.supervision"),
    ("kerashw.group", "kerashw.job", "kerashw.threads"),
    ("kerashw.population", "kerashw.workers"),
    ("kerashw.cluster", "kerashw.spread"),
    ("kerashw.crew",),
    ("kerashw.pictures.record",),
    ("kerashw.pictures.data", "kerashw.pictures.search", "kerashw.pictures.training"),
    ("kerashw.pictures.answers", "kerashw.pictures.inside"),
    ("kerashw.pictures.excitement",),
    ("kerashw.pictures.arms",),
    ("kerashw.pictures",),
    ("kerashw.results",),
    ("kerashw.pages.blocks", "kerashw.pages.kept", "kerashw.pages.words", "kerashw.pages.html"),
    ("kerashw.pages.pictures",),
    ("kerashw.pages.result", "kerashw.pages.search", "kerashw.pages.model", "kerashw.pages.advice"),
    ("kerashw.pages.report", "kerashw.pages.comparison"),
    ("kerashw.pages",),
    ("tuning.studies", "tuning.hypermodel", "tuning.gaussian", "tuning.pruning", "tuning.dialogue",
     "tuning.replayable", "tuning.promotion", "tuning.garbage"),
    ("tuning.scalarisation",),
    ("tuning.bayesian",),
    ("tuning.oracles",),
    ("tuning.setup", "tuning.attempts", "tuning.standing", "kerashw.request", "kerashw.summary",
     "kerashw.options"),
    ("tuning.trials",),
    ("tuning.search", "tuning.flight"),
    ("tuning.curves", "tuning.refits"),
    ("tuning.refit",),
    ("tuning.pipeline",),
    ("tuning.estimate",),
    ("kerashw.report",),
    ("kerashw.tune", "kerashw.evaluate", "kerashw.predict", "kerashw.export", "kerashw.studies", "kerashw.compare"),
    ("kerashw.__main__",),
)
FLOOR = {module: floor for floor, modules in enumerate(ROOMS) for module in modules}
VERBS = (*ROOMS[-2], "kerashw.request")  # what a verb is asked for belongs to it


def name_of(path):
    return ".".join(path.relative_to(CHECKOUT).with_suffix("").parts).removesuffix(".__init__")


SOURCES = {name_of(path): path for room in ("kerashw", "tuning") for path in sorted((CHECKOUT / room).rglob("*.py"))}


def imported(name):
    """Every module a source imports, at its top or inside of a function."""
    for node in ast.walk(ast.parse(SOURCES[name].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{name}, line {node.lineno}: imports are absolute here"
            for alias in node.names:
                member = f"{node.module}.{alias.name}"
                yield member if member in SOURCES else node.module


def floor_of(name):
    """The floor of a module, or of the package that stands for it."""
    while name not in FLOOR:
        name, dot, _ = name.rpartition(".")
        assert dot, name
    return FLOOR[name]


def is_listed(name):
    package = name.rpartition(".")[0]
    module_by_module = ("kerashw", "tuning", "kerashw.datasets", "kerashw.figures", "kerashw.formats", "kerashw.pages",
                        "kerashw.pictures")  # fmt: skip
    return name in FLOOR or (package in FLOOR and package not in module_by_module)


def test_every_module_has_its_place_in_the_list_and_no_other_has():
    assert [name for name in SOURCES if not is_listed(name)] == [], "add these to ROOMS in tests/test_imports.py"
    assert [name for name in FLOOR if name not in SOURCES] == []


@pytest.mark.parametrize("name", SOURCES)
def test_a_module_imports_only_from_rooms_below_its_own(name):
    ours = [other for other in imported(name) if other.partition(".")[0] in ("kerashw", "tuning")]
    assert [other for other in ours if floor_of(other) >= floor_of(name)] == []


@pytest.mark.parametrize("name", [name for name in SOURCES if name.startswith("kerashw")])
def test_only_the_verbs_of_kerashw_know_the_search_and_none_knows_keras_tuner(name):
    packages = {other.partition(".")[0] for other in imported(name)}
    assert "keras_tuner" not in packages
    assert "tuning" not in packages or name in VERBS


@pytest.mark.parametrize("name", [name for name in SOURCES if name.startswith("tuning.studies.")])
def test_a_study_needs_nothing_but_words_to_declare_with(name):
    words = {"kerashw.augment", "kerashw.models", "kerashw.space", "kerashw.study"}
    assert set(imported(name)) <= words


HEAVY = {
    "PIL", "jinja2", "keras", "keras_tuner", "matplotlib", "numpy", "ray", "requests", "scipy", "sklearn", "tensorflow",
    "tensorflow_datasets",
}  # fmt: skip
LIGHT = {
    "import kerashw": set(),
    "import kerashw; kerashw.load_run('nowhere')": {"numpy"},
    "import kerashw.study, kerashw.models, kerashw.augment": set(),
    "import tuning.studies; tuning.studies.find('mnist')": set(),
    "import tuning.studies; [tuning.studies.find(name) for name in tuning.studies.names()]": set(),
    "main([])": set(),
    "main(['--help'])": set(),
    "main(['nonsense'])": set(),
    "main(['studies'])": set(),
    "main(['studies', '--json'])": set(),
    "main(['studies', '--help'])": set(),
    "main(['studies', '--nonsense'])": set(),
    # These know a run's folder, which keeps NumPy arrays.
    "main(['tune', '--help'])": {"numpy"},
    "main(['tune', '--task', 'nonsense'])": {"numpy"},
    "main(['tune', '--task', 'mnist', '--cpus-per-trial', '2'])": {"numpy"},
    "main(['tune', '--task', 'mnist', '--set', 'momentum=2'])": {"numpy"},
    "main(['evaluate', '--help'])": {"numpy"},
    "main(['evaluate', 'nowhere'])": {"numpy"},
    "main(['export', '--help'])": {"numpy"},
    "main(['export', 'nowhere', '--format', 'onnx'])": {"numpy"},
    "main(['report', '--help'])": {"numpy"},
    "main(['report', 'nowhere'])": {"numpy"},
    "main(['compare', '--help'])": {"numpy"},
    "main(['compare', 'nowhere', 'nothing'])": {"numpy"},
    "main(['predict', '--help'])": {"numpy"},
    "main(['predict', 'nowhere', 'nothing.png'])": {"numpy"},
}


@pytest.mark.parametrize("statement", LIGHT)
def test_what_should_answer_at_once_imports_nothing_heavy(statement, tmp_path):
    program = f"""
import sys
from kerashw.__main__ import main
from kerashw.errors import UsageError
try:
    {statement}
except (SystemExit, UsageError):
    pass
print(*sorted({HEAVY} & set(sys.modules)), file=sys.stderr)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=tmp_path,
        env={"PYTHONPATH": str(CHECKOUT), "PATH": ""},
    )  # fmt: skip
    assert "Traceback" not in done.stderr
    assert set(done.stderr.splitlines()[-1].split()) <= LIGHT[statement]
