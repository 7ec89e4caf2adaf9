"""Packaging of tf_marscf."""

import re
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent


def read_version() -> str:
    """Returns `__version__` of tf_marscf/_version.py without importing the package.

    Importing it would need TensorFlow, which an installer does not have yet.

    Raises:
        RuntimeError: if the file has no `__version__ = "..."` line.
    """
    text = (ROOT / "tf_marscf" / "_version.py").read_text(encoding="utf-8")
    match = re.search(r'^__version__ = "([^"]+)"$', text, flags=re.MULTILINE)
    if match is None:
        raise RuntimeError("tf_marscf/_version.py has no line '__version__ = \"...\"'.")
    return match.group(1)


class BuildWithFlagfiles(build_py):
    """Puts the flagfiles, which lie beside the package, into it: an installed one has them, too.

    `tf_marscf/commands/recipes.py` finds them in either place.
    """

    def run(self) -> None:
        """Copies them after all else, unless a checkout is installed, which has them."""
        super().run()
        if self.editable_mode:
            return
        for file in [*ROOT.glob("*.flags"), *ROOT.glob("recipes/*/*.flags")]:
            target = Path(self.build_lib, "tf_marscf", "flagfiles", file.relative_to(ROOT))
            self.mkpath(str(target.parent))
            self.copy_file(str(file), str(target))


def read_long_description() -> str:
    """Returns the text of README.md, or nothing in a checkout that has none yet."""
    readme = ROOT / "README.md"
    return readme.read_text(encoding="utf-8") if readme.exists() else ""


INSTALL_REQUIRES = [
    "absl-py>=2.1",
    # TensorFlow Datasets 4.9.10 imports importlib_resources when it prepares a data set, yet
    # declares it for Python < 3.9 only.
    "importlib_resources>=6.0",
    # The templates of the report's page.
    "jinja2>=3.1,<4",
    # TensorFlow 2.21 itself needs Keras >= 3.12. The bijectors hold Keras 3 layers through their
    # `Variable.value`, an interface that a new major version may change.
    "keras>=3.12,<4",
    # Draws the figures; imported only by what draws.
    "matplotlib>=3.9,<4",
    "numpy>=1.26",
    # What image files say of themselves: which way up they are, transparency, checksums.
    "pillow>=10.1,<14",
    # Asks a data set's servers for an answer before TensorFlow Datasets starts its many retries.
    "requests>=2.28",
    # The embedded 8 x 8 digits: the one data set that needs no download.
    "scikit-learn>=1.5",
    # The LU factors of a new 1x1 convolution.
    "scipy>=1.11",
    # TensorFlow Probability 0.25 imports distutils, which is not in Python from 3.12 on, but in
    # setuptools.
    "setuptools>=77; python_version >= '3.12'",
    "tensorboard>=2.19",
    "tensorflow>=2.21,<2.22",
    "tensorflow-datasets>=4.9,<5",
    # The newest release; it follows TensorFlow's internals, so the two ranges move together.
    "tensorflow-probability>=0.25,<0.26",
    # TensorFlow Probability imports it; here, only what compares with TFP's networks does.
    "tf-keras>=2.21,<2.22",
    # Progress bars.
    "tqdm>=4.60",
]

EXTRAS_REQUIRE = {
    # The original Inception network, for FID that compares with published figures; it brings
    # PyTorch.
    "fidelity": ["torch-fidelity>=0.4,<0.5"],
    "gpu": ["tensorflow[and-cuda]>=2.21,<2.22"],
    # Runs portable exports: examples/run_stablehlo.py. Versions before lack what that uses.
    "stablehlo": ["jax>=0.10"],
    # Requests that warm up TensorFlow Serving, and its client.
    "serving": ["tensorflow-serving-api>=2.21,<2.22"],
    # Only to read .pt files of weights.
    "torch": ["torch>=2.4"],
    # The page of bin/explore.py; it asks for Pillow below 13. Versions before 6.31 were not tried,
    # and a new major version may change how a page is mounted.
    "explore": ["gradio>=6.31,<7"],
    # The documentation as a site. A new major version of Sphinx or of the theme may change pages.
    "docs": [
        "myst-nb>=1.4,<2",
        "pydata-sphinx-theme>=0.24,<0.25",
        "sphinx>=9,<10",
    ],
    "dev": [
        "hypothesis>=6.100",
        "jax>=0.10",
        "pytest>=8.0",
        "pytest-xdist>=3.5",
        # Reads serving/docker-compose.yml in the tests.
        "pyyaml>=6.0",
        "ruff>=0.8",
        "tensorflow-serving-api>=2.21,<2.22",
    ],
}

COMMANDS = [
    "benchmark",
    "evaluate",
    "explore",
    "export",
    "import_weights",
    "interpolate",
    "report",
    "sample",
    "train",
]

setup(
    name="tf_marscf",
    version=read_version(),
    description=(
        "Normalizing flows with multi-scale autoregressive priors (mAR-SCF) for TensorFlow "
        "Probability and Keras 3."
    ),
    long_description=read_long_description(),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    license_files=["LICENSE"],
    packages=find_packages(include=["tf_marscf", "tf_marscf.*"]),
    # All files in the package, templates among them, that MANIFEST.in does not leave out.
    include_package_data=True,
    cmdclass={"build_py": BuildWithFlagfiles},
    # The oldest that this code and Keras 3.15 take; h5py, of which TensorFlow 2.21 wants less than
    # 3.15, has no such wheels for 3.14. The Makefile takes the same: bin/choose_python.sh.
    python_requires=">=3.11,<3.14",
    install_requires=INSTALL_REQUIRES,
    extras_require=EXTRAS_REQUIRE,
    entry_points={
        "console_scripts": [
            f"marscf-{name.replace('_', '-')} = tf_marscf.commands.{name}:run" for name in COMMANDS
        ],
    },
    classifiers=[
        "Intended Audience :: Science/Research",
        "Operating System :: POSIX :: Linux",
        "Programming Language :: Python :: 3",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
    ],
)
