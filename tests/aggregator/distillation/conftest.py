import pytest
import torch


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    """Networks this small are slower on several, and sums in another order are other sums."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
