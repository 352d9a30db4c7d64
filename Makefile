# SPDX-License-Identifier: GPL-3.0-or-later
# make            build build/bitsweep, installing missing Debian packages first
# make demo       the same, then a real sweep on Fashion-MNIST with table and figures
# make check      the same, then all tests, also under sanitizers and valgrind
# make bench      time the kernels and training steps
# make bench-peers  the float steps beside PyTorch's (Debian's python3-torch, if it is installed)
VERSION := 0.1.0
BUILD   ?= build
PREFIX  ?= /usr/local
CC      := $(if $(filter default,$(origin CC)),gcc,$(CC))

# apt names; DESIGN: OpenBLAS, GLPK, gnuplot, HDF5, Criterion are the user's choice, the others are in the README.
PACKAGES := gcc make pkg-config libc6-dev libopenblas-pthread-dev libglpk-dev gnuplot-nox libhdf5-dev \
            libyaml-dev libcjson-dev zlib1g-dev libmd-dev libcurl4-openssl-dev libarchive-dev dataset-fashion-mnist
TEST_PACKAGES := libcriterion-dev clang valgrind git python3-h5py

# Sources by wildcard: a new file needs no line here.
SOURCES ?= $(filter-out bench/main.c,$(wildcard bench/*.c bench/nn/*.c bench/kernels/*.c methods/*.c methods/*/*.c \
             datasets/*.c results/*.c plots/*.c))
TESTS   ?= $(wildcard tests/*.c)
MAIN    := bench/main.c

PKGS     := hdf5-serial openblas yaml-0.1 libcjson zlib libmd libcurl libarchive
SANITIZE ?=
comma    := ,
SANFLAGS := $(if $(SANITIZE),-fsanitize=address$(comma)undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
OPT      ?= $(if $(SANITIZE),-O1,-O3)
# No fused multiply-adds that C does not ask for: every ISA must give the same bits.
PKG_CFLAGS := $(shell pkg-config --cflags $(PKGS) 2>/dev/null)
PKG_LIBS   := $(shell pkg-config --libs $(PKGS) 2>/dev/null)
CFLAGS_ALL = -std=c17 -D_GNU_SOURCE -Wall -Wextra -Wpedantic -Werror $(OPT) -g -ffp-contract=off -fno-math-errno $(SANFLAGS) \
             -I$(BUILD) $(PKG_CFLAGS) $(CFLAGS)
LIBS       = $(SANFLAGS) $(LDFLAGS) $(PKG_LIBS) -lglpk -lm -lpthread -ldl

# Kernels for one instruction set; chosen at start, so only these files may use it.
$(BUILD)/obj/bench/%avx2.o:       ISA = -mavx2 -mfma
$(BUILD)/obj/bench/%avx512vnni.o: ISA = -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx512vnni -mprefer-vector-width=512

UNFIT_PLUGINS := nothing version layout kind dataset taken incomplete name fallback
TEST_PLUGINS  := $(patsubst %,$(BUILD)/tests/%.so,template over_budget $(UNFIT_PLUGINS:%=unfit-%))

OBJECTS := $(SOURCES:%.c=$(BUILD)/obj/%.o)
TEST_OBJECTS := $(TESTS:%.c=$(BUILD)/obj/%.o)

.PHONY: all program deps test-deps demo check check-long bench bench-peers install uninstall clean dist smoke force
all: deps
	@$(MAKE) --no-print-directory program

program: $(BUILD)/bitsweep

deps:
	@sh bench/install-packages.sh $(PACKAGES)
test-deps:
	@sh bench/install-packages.sh $(PACKAGES) $(TEST_PACKAGES)

# -rdynamic: plugins in shared objects call the program's functions.
$(BUILD)/bitsweep: $(OBJECTS) $(MAIN:%.c=$(BUILD)/obj/%.o)
	@echo "LD $@"
	@$(CC) -rdynamic -o $@ $^ $(LIBS)

$(BUILD)/tests/run: $(OBJECTS) $(TEST_OBJECTS) | $(TEST_PLUGINS)
	@mkdir -p $(@D)
	@echo "LD $@"
	@$(CC) -rdynamic -o $@ $^ $(LIBS) $(shell pkg-config --libs criterion)

# Shared objects for the tests: the template as a user would copy it, an allocator that breaks its promise, and unfit files.
PLUGIN = $(CC) $(CFLAGS_ALL) -DBITSWEEP_PLUGIN -fPIC -shared -Imethods/allocators
PLUGIN_HEADERS := $(wildcard bench/*.h methods/allocators/*.h)
$(BUILD)/tests/template.so: methods/allocators/template.c $(PLUGIN_HEADERS)
	@mkdir -p $(@D)
	@sed 's/template/my_allocator/g' $< >$(@D)/my_allocator.c
	@$(PLUGIN) -o $@ $(@D)/my_allocator.c
$(BUILD)/tests/over_budget.so: tests/plugins/over_budget.c $(PLUGIN_HEADERS)
	@mkdir -p $(@D)
	@$(PLUGIN) -o $@ $<
$(BUILD)/tests/unfit-%.so: tests/plugins/unfit.c $(PLUGIN_HEADERS)
	@mkdir -p $(@D)
	@$(PLUGIN) -DUNFIT=$* $(if $(filter nothing,$*),-DUNFIT_HIDDEN) -o $@ $<

$(BUILD)/obj/%.o: %.c
	@mkdir -p $(@D)
	@echo "CC $<"
	@$(CC) $(CFLAGS_ALL) $(ISA) -MMD -MP -c -o $@ $<

# What the binary says about its own build; rewritten only when it changes.
$(BUILD)/obj/bench/version.o: $(BUILD)/version.inc
$(BUILD)/version.inc: force
	@mkdir -p $(BUILD)
	@{ echo '#define BITSWEEP_VERSION "$(VERSION)"'; \
	   echo '#define BITSWEEP_COMMIT "'$$(git rev-parse --verify -q HEAD 2>/dev/null || echo unknown)'"'; \
	   echo '#define BITSWEEP_DIRTY '$$(test -z "$$(git status --porcelain 2>/dev/null)" && echo 0 || echo 1); \
	   echo '#define BITSWEEP_CFLAGS "$(OPT) $(if $(SANITIZE),sanitized)$(CFLAGS)"'; } > $@.new
	@cmp -s $@.new $@ && rm $@.new || mv $@.new $@
force:

demo: deps
	@$(MAKE) --no-print-directory program
	@BITSWEEP=$(BUILD)/bitsweep sh bench/demo.sh bench/sweeps/demo.yaml

# Seconds, on synthetic data.
smoke: deps
	@$(MAKE) --no-print-directory program
	@BITSWEEP=$(BUILD)/bitsweep sh bench/demo.sh bench/sweeps/smoke.yaml

check: test-deps
	@MAKE="$(MAKE)" sh tests/check.sh
# The crash tests in numbers; an hour.
check-long: test-deps
	@BITSWEEP_LONG=1 MAKE="$(MAKE)" sh tests/check.sh

bench: deps
	@$(MAKE) --no-print-directory program
	$(BUILD)/bitsweep bench
bench-peers: deps
	@$(MAKE) --no-print-directory program
	@/usr/bin/python3 -B bench/peers/compare.py --bitsweep $(BUILD)/bitsweep

# Needs a built program; DESTDIR for packagers.
SHARE := $(DESTDIR)$(PREFIX)/share
# What plugins in shared objects are compiled against.
INCLUDE := $(DESTDIR)$(PREFIX)/include/bitsweep
install: program
	install -D -m 755 $(BUILD)/bitsweep $(DESTDIR)$(PREFIX)/bin/bitsweep
	install -D -m 644 -t $(SHARE)/bitsweep/sweeps bench/sweeps/*.yaml
	install -D -m 644 -t $(INCLUDE)/bench bench/bitsweep.h bench/params.h bench/plugin.h bench/probe.h
	install -D -m 644 -t $(INCLUDE)/methods/allocators methods/allocators/*.h methods/allocators/template.c
	install -D -m 644 -t $(SHARE)/doc/bitsweep README.md LICENSE CITATION.cff docs/*.md
	install -D -m 644 -t $(SHARE)/man/man1 docs/man/*.1
	install -D -m 644 docs/completion.bash $(SHARE)/bash-completion/completions/bitsweep
uninstall:
	rm -f $(DESTDIR)$(PREFIX)/bin/bitsweep $(SHARE)/man/man1/bitsweep*.1 $(SHARE)/bash-completion/completions/bitsweep
	rm -rf $(SHARE)/bitsweep $(SHARE)/doc/bitsweep $(INCLUDE)

dist:
	git archive --format=tar.gz --prefix=bitsweep-$(VERSION)/ -o bitsweep-$(VERSION).tar.gz HEAD

clean:
	rm -rf build

-include $(shell find $(BUILD)/obj -name "*.d" 2>/dev/null)
