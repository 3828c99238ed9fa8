import pytest

ROUNDS = 6
SEED = 1


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--rounds", type=int, default=ROUNDS, help="how often something is killed")
    parser.addoption("--seed", type=int, default=SEED, help="which storm; a seed repeats its plan")
