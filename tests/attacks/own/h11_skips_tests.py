# problem: account
# expect: failed_assertion runtime_error
# why: skipped tests would leave a result that looks successful
# ---
import unittest


class Overdrawn(Exception):
    pass


class Account:
    def __init__(self, *a):
        raise unittest.SkipTest("later")
