"Package metadata: from settings.ini, and the version from the package."
from configparser import ConfigParser
from pathlib import Path
import re

from setuptools import find_packages, setup

here = Path(__file__).parent
parser = ConfigParser(delimiters=['='])
parser.read(here/'settings.ini', encoding='utf-8')
cfg = parser['DEFAULT']
lib = cfg['lib_name']
version = re.search(r'__version__ = "(.+)"', (here/lib/'__init__.py').read_text(encoding='utf-8'))[1]
url = f"https://github.com/{cfg['user']}/{lib}"

setup(
    name=lib,
    version=version,
    description=cfg['description'],
    long_description=(here/'README.md').read_text(encoding='utf-8'),
    long_description_content_type='text/markdown',
    author=cfg['author'],
    license=cfg['license'],
    keywords=cfg['keywords'].split(),
    url=url,
    python_requires='>=' + cfg['min_python'],
    install_requires=cfg['requirements'].split(),
    extras_require={extra: cfg[f'{extra}_requirements'].split() for extra in ('dev','dask')},
    package_dir={'': '.'}, # so that `pip install -e .` puts this folder on the path, where nbdev looks for tools/
    packages=find_packages(include=[lib, lib + '.*']),
    entry_points={'nbdev': [f'{lib}={lib}._modidx:d']},
    classifiers=['Framework :: Jupyter', 'Intended Audience :: Education', 'Programming Language :: Python :: 3',
                 'Topic :: Scientific/Engineering :: Artificial Intelligence'],
)
