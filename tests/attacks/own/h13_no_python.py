# problem: half
# expect: compile_error
# why: it is no program
# ---
def half(x:
    return x // 2
