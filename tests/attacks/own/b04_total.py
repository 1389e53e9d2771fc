# problem: total
# expect: passed
# ---
import atexit
import sys


def main():
    atexit.register(lambda: None)
    print(sum(map(int, sys.stdin.read().split())))


if __name__ == "__main__":
    main()
    sys.exit(0)
