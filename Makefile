# Every command a person needs. `make help` lists them.
#
#   make quickstart   install what is missing, build, run the main job, show the result
#   make test         the same set-up, then every test
#
# VARIANT=release (default), asan or tsan: each builds into build/<variant>.

VARIANT ?= release
CC      := gcc
O       := build/$(VARIANT)
BIN     := $(O)/bin
PREFIX  ?= /usr/local
DESTDIR ?=

VERSION := 0.3.0
BUILD   := $(VERSION)

PKGS_proto       := json-c openssl zlib libpcre2-8 libzmq
PKGS_coordinator := $(PKGS_proto) lmdb yaml-0.1 libcurl
PKGS_worker      := $(PKGS_proto)
PKGS_sandbox     := $(PKGS_proto) libseccomp
PKGS_test        := cmocka
pkg = $(shell pkg-config --$(1) $(2) 2>/dev/null)

# Kernels of another processor family stay out of this one's libraries.
MACHINE := $(firstword $(subst -, ,$(shell $(CC) -dumpmachine 2>/dev/null)))
KERNELS_x86_64  := avx2 avx512 amx amx_emulated
KERNELS_aarch64 := neon neon_dot
FOREIGN := $(filter-out $(KERNELS_$(MACHINE)),$(KERNELS_x86_64) $(KERNELS_aarch64))

WERROR  ?= 1
WARN    := -Wall -Wextra $(if $(filter 1,$(WERROR)),-Werror) -Wshadow -Wstrict-prototypes \
           -Wmissing-prototypes -Wold-style-definition -Wformat=2 -Wundef -Wvla \
           -Wpointer-arith -Wwrite-strings -Wduplicated-cond -Wlogical-op
HARDEN_release := -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fstack-clash-protection \
                  $(if $(filter x86_64,$(MACHINE)),-fcf-protection) \
                  $(if $(filter aarch64,$(MACHINE)),-mbranch-protection=standard)
HARDEN_asan    := -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
HARDEN_tsan    := -fsanitize=thread -fno-omit-frame-pointer
HARDEN_fuzz    := -fsanitize=address,undefined,fuzzer-no-link -fno-sanitize-recover=undefined
CPPFLAGS := -I. -D_GNU_SOURCE -DPROCTOR_VERSION='"$(VERSION)"' -MMD -MP
CFLAGS  := -std=c11 -O2 -g $(WARN) $(HARDEN_$(VARIANT)) -fno-common -fno-strict-aliasing \
           -ffp-contract=off -fPIE
LDFLAGS := -pie -Wl,-z,relro,-z,now,-z,noexecstack -Wl,--as-needed $(filter -fsanitize=%,$(HARDEN_$(VARIANT)))
LDLIBS  := -lm -lpthread

# A room's library is every .c below it except its main programs.
CLI_SRC := $(sort $(wildcard coordinator/cli/*.c))
MAINS := coordinator/main.c worker/main.c sandbox/main.c $(CLI_SRC)
src   = $(filter-out $(MAINS) $(ZYGOTE_SRC) $(FOREIGN:%=worker/engine/kernels_%.c),$(shell find $(1) -name '*.c' 2>/dev/null | sort))
obj   = $(patsubst %.c,$(O)/obj/%.o,$(1))

# The zygote embeds the Python interpreter; nothing else links it.
ZYGOTE_SRC := $(shell find sandbox/zygote -name '*.c' 2>/dev/null | sort)

ROOMS := proto coordinator worker sandbox
LIBS  := $(ROOMS:%=$(O)/lib%.a)
PROGRAMS := $(BIN)/proctor $(BIN)/proctor-worker $(BIN)/proctor-tester $(BIN)/proctor-zygote

.PHONY: all
all: $(PROGRAMS)

# ---- what is linked with what: arrows point down to proto/, never sideways ----
define room_rules
$(O)/lib$(1).a: $$(call obj,$$(call src,$(1)))
	@rm -f $$@
	@ar rcs $$@ $$^
endef
$(foreach r,$(ROOMS),$(eval $(call room_rules,$(r))))

$(BIN)/proctor: $(call obj,coordinator/main.c $(CLI_SRC)) $(O)/libcoordinator.a $(O)/libproto.a
	@mkdir -p $(@D)
	@echo "  LINK $@"
	@$(CC) $(LDFLAGS) -o $@ $^ $(call pkg,libs,$(PKGS_coordinator)) $(LDLIBS)

$(BIN)/proctor-worker: $(call obj,worker/main.c) $(O)/libworker.a $(O)/libproto.a
	@mkdir -p $(@D)
	@echo "  LINK $@"
	@$(CC) $(LDFLAGS) -o $@ $^ $(call pkg,libs,$(PKGS_worker)) $(LDLIBS)

$(BIN)/proctor-tester: $(call obj,sandbox/main.c) $(O)/libsandbox.a $(O)/libproto.a
	@mkdir -p $(@D)
	@echo "  LINK $@"
	@$(CC) $(LDFLAGS) -o $@ $^ $(call pkg,libs,$(PKGS_sandbox)) $(LDLIBS)

# ---- proctor-zygote: the interpreter, embedded (static and not relocatable where the library is
# there). Never sanitized: sanitizers reserve address space that its limits forbid. ----
PY_VERSION := $(call pkg,modversion,python3-embed)
PY_PREFIX  := $(shell pkg-config --variable=exec_prefix python3-embed 2>/dev/null)
PY_STDLIB  := $(PY_PREFIX)/lib/python$(PY_VERSION)
PY_STATIC  := $(firstword $(wildcard $(PY_STDLIB)/config-$(PY_VERSION)-*/libpython$(PY_VERSION).a))
PY_LIBS    := $(if $(PY_STATIC),$(PY_STATIC) -lexpat -lz -ldl -lutil,$(call pkg,libs,python3-embed))
ZFLAGS     := -std=c11 -O2 -g $(WARN) $(HARDEN_release) -fno-common -fno-strict-aliasing -fPIE \
              $(patsubst -I%,-isystem %,$(call pkg,cflags,python3-embed)) \
              -DPROCTOR_PYTHON_STDLIB='"$(PY_STDLIB)"'
ZYGOTE_PARTS := $(ZYGOTE_SRC) sandbox/packet.c sandbox/scan.c \
                $(sort $(wildcard sandbox/jail/*.c)) \
                proto/buf.c proto/mem.c
zobj = $(patsubst %.c,$(O)/zobj/%.o,$(1))

$(O)/zobj/%.o: %.c
	@mkdir -p $(@D)
	@[ -n "$(PY_VERSION)" ] || { echo "proctor-zygote embeds Python, and pkg-config does not know" \
	    "python3-embed: install libpython3-dev (deploy/install-deps.sh does)" >&2; exit 1; }
	@echo "  CC   $<"
	@$(CC) $(CPPFLAGS) $(ZFLAGS) -c -o $@ $<

$(O)/zobj/harness.c: sandbox/zygote/harness.py
	@mkdir -p $(@D)
	@{ echo '/* made from $< */'; echo 'const unsigned char harness_py[] = {'; \
	   od -An -v -tu1 $< | sed 's/[0-9][0-9]*/&,/g'; echo '0};'; \
	   echo 'const unsigned harness_py_len = sizeof harness_py - 1;'; } >$@

$(O)/zobj/harness.o: $(O)/zobj/harness.c
	@$(CC) -c -o $@ $<

$(BIN)/proctor-zygote: $(call zobj,$(ZYGOTE_PARTS)) $(O)/zobj/harness.o
	@mkdir -p $(@D)
	@echo "  LINK $@"
	@$(CC) -no-pie -Wl,-z,relro,-z,now,-z,noexecstack -Wl,--export-dynamic -o $@ $^ $(PY_LIBS) \
	    $(LDLIBS)

# The codec alone, for its unit test.
PKGS_zygote := python3-embed
$(O)/libzygote.a: $(call zobj,sandbox/zygote/codec.c sandbox/scan.c)
	@rm -f $@
	@ar rcs $@ $^
$(filter $(O)/tests/zygote/%,$(patsubst tests/unit/%.c,$(O)/tests/%,$(wildcard tests/unit/zygote/*.c))): $(O)/libzygote.a

# ---- compiling ----
PKG_CFLAGS := $(call pkg,cflags,$(sort $(PKGS_coordinator) $(PKGS_sandbox) $(PKGS_test))) \
              $(patsubst -I%,-isystem %,$(call pkg,cflags,$(PKGS_zygote)))

# Kernels for one instruction set each, chosen at run time; the same bits from all of them.
ISA_avx2   := -mavx2 -mfma -mf16c
ISA_avx512 := -mavx512f -mavx512bw -mavx512vl -mavx512dq -mavx512vnni -mavx2 -mfma -mf16c
ISA_amx    := $(ISA_avx512) -pthread
ISA_amx_emulated := $(ISA_amx)
ISA_neon_dot := -march=armv8.2-a+dotprod
isa = $(foreach i,avx2 avx512 amx amx_emulated neon_dot,$(if $(filter %_$(i).c,$(1)),$(ISA_$(i))))
# Compilers need minutes to put every check into wide kernels at -O3. The scalar kernels compute the
# same bits with all checks; of the others AVX2 and NEON keep the address checks, AVX-512 none.
opt = $(if $(filter worker/engine/%,$(1)),$(if $(filter asan tsan fuzz,$(VARIANT)),-O1,-O3))
unchecked = $(if $(filter asan tsan fuzz,$(VARIANT)),$(if $(filter %_avx512.c %_amx.c %_amx_emulated.c,$(1)),-fno-sanitize=all) \
            $(if $(filter %_avx2.c %_neon.c %_neon_dot.c,$(1)),-fno-sanitize=undefined))

# Without its tools a plain `make` says what to do instead of what the shell thinks of it.
.PHONY: tools
tools:
	@command -v $(firstword $(CC)) >/dev/null && command -v pkg-config >/dev/null && \
	    pkg-config --exists $(PKGS_coordinator) $(PKGS_sandbox) $(PKGS_test) || { \
	    echo "the compiler, pkg-config or a library is missing: run 'make deps' first" >&2; exit 1; }

$(O)/obj/%.o: %.c | tools
	@mkdir -p $(@D)
	@echo "  CC   $<"
	@$(CC) $(CPPFLAGS) $(CFLAGS) $(call opt,$<) $(call unchecked,$<) $(call isa,$<) $(PKG_CFLAGS) -c -o $@ $<

# ---- unit tests: tests/unit/<room>/test_x.c is a cmocka program linked with that room ----
UNIT_SRC := $(wildcard tests/unit/*/test_*.c)
UNIT_BIN := $(UNIT_SRC:tests/unit/%.c=$(O)/tests/%)
room_of   = $(word 1,$(subst /, ,$(1:$(O)/tests/%=%)))

$(O)/tests/%: $(O)/obj/tests/unit/%.o $(LIBS)
	@mkdir -p $(@D)
	@echo "  LINK $@"
	@$(CC) $(LDFLAGS) -o $@ $< $(filter-out $(O)/libproto.a,$(O)/lib$(call room_of,$@).a) \
	    $(O)/libproto.a $(call pkg,libs,$(sort $(PKGS_$(call room_of,$@)) $(PKGS_test))) $(LDLIBS)

.PHONY: unit
unit: $(PROGRAMS) $(UNIT_BIN)
	@tests/run-unit.sh $(UNIT_BIN)

# ---- kernels alone: a static program for aarch64, run by qemu-user, and the same one for this
# machine, whose results it must repeat. Needs gcc-aarch64-linux-gnu; tests/neon/run.sh runs them. ----
CROSS ?= aarch64-linux-gnu-gcc
BARE  := tests/neon/test_neon.c proto/err.c \
         $(filter-out $(KERNELS_x86_64:%=worker/engine/kernels_%.c),$(wildcard worker/engine/kernels*.c)) \
         $(addprefix worker/engine/,panels.c quant.c detmath.c)

$(O)/cross/%.o: %.c
	@mkdir -p $(@D)
	@echo "  CROSS $<"
	@$(CROSS) $(CPPFLAGS) -std=c11 -O2 -g $(WARN) -fno-common -fno-strict-aliasing -ffp-contract=off \
	    $(call opt,$<) $(call isa,$<) -c -o $@ $<

$(O)/neon/aarch64: $(BARE:%.c=$(O)/cross/%.o)
	@mkdir -p $(@D)
	@echo "  LINK $@"
	@$(CROSS) -static -o $@ $^ -lm

$(O)/neon/native: $(O)/obj/tests/neon/test_neon.o $(O)/libworker.a $(O)/libproto.a
	@mkdir -p $(@D)
	@echo "  LINK $@"
	@$(CC) $(LDFLAGS) -o $@ $^ $(call pkg,libs,$(PKGS_worker)) $(LDLIBS)

.PHONY: neon
neon: $(O)/neon/aarch64 $(O)/neon/native

# ---- fuzz targets: tests/fuzz/<room>/fuzz_x.c is linked with that room; see tests/fuzz/fuzz.h ----
FUZZ_SRC := $(wildcard tests/fuzz/*/fuzz_*.c)
FUZZ_BIN := $(FUZZ_SRC:tests/fuzz/%.c=$(O)/fuzz/%)
FUZZ_SECONDS ?= 60
fuzz_main = $(if $(filter fuzz,$(VARIANT)),,$(O)/obj/tests/fuzz/driver.o)

define fuzz_rule
$(O)/fuzz/$(1): $(O)/obj/tests/fuzz/$(1).o $(O)/lib$(firstword $(subst /, ,$(1))).a \
    $(O)/libproto.a $(call fuzz_main)
	@mkdir -p $$(@D)
	@echo "  LINK $$@"
	@$$(CC) $$(LDFLAGS) $$(if $$(filter fuzz,$$(VARIANT)),-fsanitize=fuzzer) -o $$@ \
	    $$(filter %.o,$$^) $$(filter-out $$(O)/libproto.a,$$(filter %.a,$$^)) $$(O)/libproto.a \
	    $$(call pkg,libs,$$(PKGS_$(firstword $(subst /, ,$(1))))) $$(LDLIBS)
endef
$(foreach f,$(FUZZ_SRC:tests/fuzz/%.c=%),$(eval $(call fuzz_rule,$(f))))

.PHONY: fuzz-programs
fuzz-programs: $(FUZZ_BIN)

.PHONY: fuzz-smoke
fuzz-smoke:
	@$(MAKE) --no-print-directory -j2 VARIANT=asan fuzz-programs
	@for f in $(FUZZ_BIN:$(O)/%=build/asan/%); do $$f || exit 1; done

# Starts from the seeds that a target makes itself; what it finds is kept in build/fuzz/corpus.
.PHONY: fuzz
fuzz:
	@$(MAKE) --no-print-directory -j2 fuzz-programs
	@$(MAKE) --no-print-directory -j2 VARIANT=fuzz CC=clang WARN=-w fuzz-programs
	@for f in $(FUZZ_BIN:$(O)/fuzz/%=%); do \
	    corpus=build/fuzz/corpus/$$f; mkdir -p $$corpus; \
	    $(O)/fuzz/$$f -w $$corpus || exit 1; \
	    build/fuzz/fuzz/$$f -max_total_time=$(FUZZ_SECONDS) -max_len=65536 -timeout=20 \
	        -artifact_prefix=build/fuzz/ -print_final_stats=1 $$corpus || exit 1; \
	done

# ---- what a person types ----
.DEFAULT_GOAL := all

.PHONY: help
help:
	@echo "make quickstart   install what is missing, build, run the main job, show the result"
	@echo "make test         the same set-up, then every test (under 15 minutes on 2 cores)"
	@echo "make              build into $(BIN)"
	@echo "make deps         install what building and testing need (apt, as root or with sudo)"
	@echo "make install      PREFIX=$(PREFIX) DESTDIR=$(DESTDIR)"
	@echo "make bench        the measurements of docs/numbers.md"
	@echo "make bench-engine MODEL=file  proctor model bench: prompts, decoding, batches, kernels"
	@echo "make bench-heads  questions behind shared few-shot heads, with and without the prefix cache"
	@echo "make bench-attention  attention alone, in the shapes of two models"
	@echo "make bench-kernels  the kernels alone: every weight type and instruction set"
	@echo "make bench-threads  the pool's own cost, and what it keeps beside a busy process"
	@echo "make test-scheduler  three million random events against the scheduler"
	@echo "make neon         the kernels for 64-bit ARM alone, for tests/neon/run.sh (cross compiler)"
	@echo "make test-chaos   200 kill -9s over every kind of process"
	@echo "make check-asan   unit tests and fuzz targets under address and undefined sanitizers"
	@echo "make check-tsan   unit tests of threaded rooms under the thread sanitizer"
	@echo "make fuzz-smoke   a few seconds of seeded mutations on every parser of outside bytes"
	@echo "make fuzz         libFuzzer on every parser of outside bytes (needs clang)"
	@echo "make lint         clang-format, cppcheck, include arrows, lengths, banned words"
	@echo "make format       clang-format -i"
	@echo "make clean"

.PHONY: deps
deps:
	@deploy/install-deps.sh

# Dependencies first, then a fresh make: pkg-config is asked while the Makefile is read.
.PHONY: quickstart
quickstart: deps
	@$(MAKE) --no-print-directory -j2 all
	@tests/quickstart.sh $(BIN)

.PHONY: test
test: deps
	@$(MAKE) --no-print-directory -j2 all test-programs
	@tests/run-all.sh $(O)

.PHONY: test-programs
test-programs: $(UNIT_BIN)

.PHONY: test-chaos
test-chaos: all
	@tests/chaos/chaos.py --bin $(BIN) --kills 200

# Three million random events against the scheduler's invariants.
.PHONY: test-scheduler
test-scheduler: $(O)/tests/coordinator/test_scheduler
	@SCHED_EVENTS=3000000 $<

.PHONY: bench
bench: all
	@tests/bench/run.sh $(O)

# Needs only the worker's library: kernel work is measured without the rest.
$(O)/bench/bench_kernels $(O)/bench/bench_heads \
$(O)/bench/bench_attention $(O)/bench/bench_threads: $(O)/bench/%: $(O)/obj/tests/bench/%.o \
    $(O)/libworker.a $(O)/libproto.a
	@mkdir -p $(@D)
	@echo "  LINK $@"
	@$(CC) $(LDFLAGS) -o $@ $^ $(call pkg,libs,$(PKGS_worker)) $(LDLIBS)

$(O)/bench/bench_bare $(O)/bench/bench_hall: $(O)/bench/%: $(O)/obj/tests/bench/%.o \
    $(O)/libcoordinator.a $(O)/libproto.a
	@mkdir -p $(@D)
	@echo "  LINK $@"
	@$(CC) $(LDFLAGS) -o $@ $^ $(call pkg,libs,$(PKGS_coordinator)) $(LDLIBS)

# Dispatch through the real programs, alternately with the bare loop.
.PHONY: bench-dispatch
bench-dispatch: all $(O)/bench/bench_bare
	@tests/bench/bench_dispatch.py $(BIN) $(O)/bench/bench_bare

# The hall, wire, scheduler and store without plan and report, alternately with the bare loop.
.PHONY: bench-hall
bench-hall: $(BIN)/proctor-worker $(O)/bench/bench_hall $(O)/bench/bench_bare
	@tests/bench/bench_hall.py $(O)

# make bench-engine MODEL=file
MODEL ?= recipes/models/tiny.gguf
.PHONY: bench-engine
bench-engine: $(BIN)/proctor $(BIN)/proctor-worker
	@$(BIN)/proctor model bench $(MODEL)

.PHONY: bench-heads
bench-heads: $(O)/bench/bench_heads
	@$(O)/bench/bench_heads $(MODEL)

.PHONY: bench-kernels
bench-kernels: $(O)/bench/bench_kernels
	@$(O)/bench/bench_kernels $(TYPES)

.PHONY: bench-threads
bench-threads: $(O)/bench/bench_threads
	@$(O)/bench/bench_threads 2 1

# make bench-attention ISA=avx2
ISA ?= auto
.PHONY: bench-attention
bench-attention: $(O)/bench/bench_attention
	@$(O)/bench/bench_attention $(ISA)

.PHONY: check-asan
check-asan:
	@$(MAKE) --no-print-directory VARIANT=asan unit fuzz-smoke

.PHONY: check-tsan
check-tsan:
	@TSAN_OPTIONS="suppressions=$(CURDIR)/tests/tsan.supp" \
	    $(MAKE) --no-print-directory VARIANT=tsan unit

C_FILES := $(shell git ls-files '*.c' '*.h' 2>/dev/null)

.PHONY: lint
lint:
	@tests/lint.sh

.PHONY: format
format:
	@clang-format -i $(C_FILES)

.PHONY: install
install: all
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/share/proctor \
	    $(DESTDIR)$(PREFIX)/share/doc/proctor
	install -m 755 $(PROGRAMS) $(DESTDIR)$(PREFIX)/bin/
	cp -r recipes $(DESTDIR)$(PREFIX)/share/proctor/
	cp -r README.md LICENSE docs $(DESTDIR)$(PREFIX)/share/doc/proctor/

.PHONY: clean
clean:
	rm -rf build

.SECONDARY:
-include $(shell find $(O) -name '*.d' 2>/dev/null)
