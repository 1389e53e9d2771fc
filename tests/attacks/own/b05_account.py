# problem: account
# expect: passed
# ---
from dataclasses import dataclass


class Overdrawn(ValueError):
    pass


@dataclass
class Account:
    money: int = 0

    def pay(self, n):
        if n > self.money:
            raise Overdrawn("no")
        self.money -= n
        return self

    def __iter__(self):
        yield self.money
