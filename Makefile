# otlpull -- `make help` lists the targets. Output goes to $(BUILD)/; CC, CFLAGS, CPPFLAGS, LDFLAGS,
# PREFIX and DESTDIR are yours, the project only adds to them.

VERSION := 0.1.0
BUILD   ?= build
PREFIX  ?= /usr/local
CFLAGS  ?= -O2 -g
PYTHON  ?= /usr/bin/python3
FUZZ_SECONDS ?= 60
PLATFORM ?= forge
CLANG   ?= clang

WARNINGS := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes
STANDARD := -std=c11 -D_GNU_SOURCE -pthread -Isrc -I. -DOTLPULL_VERSION='"$(VERSION)"'
HARDEN   := -fstack-protector-strong -fPIE
LIBS     := -lcurl -lcrypto -ljson-c -lyaml -lz -lzstd -pthread
SIM_LIBS := -lmicrohttpd

override CPPFLAGS += $(STANDARD)
override CFLAGS   += $(WARNINGS) $(HARDEN) $(WERROR)
override LDFLAGS  += -pie -Wl,-z,relro,-z,now

LIB_SRC  := $(wildcard src/*.c src/*/*.c otlp/*.c)
LIB_SRC  := $(filter-out otlp/example.c,$(LIB_SRC))
CMD_SRC  := $(wildcard cmd/otlpull/*.c)
SIM_SRC  := $(wildcard cmd/otlpull-sim/*.c)
UNIT_SRC := $(shell find tests/unit -name '*_test.c' 2>/dev/null | sort)
FUZZ_SRC := $(wildcard tests/fuzz/*_fuzz.c)
MODEL_SRC := $(wildcard tests/model/*.c)
ALL_SRC  := $(LIB_SRC) $(CMD_SRC) $(SIM_SRC) $(UNIT_SRC) $(wildcard tests/*/*.c) otlp/example.c

obj = $(patsubst %.c,$(BUILD)/obj/%.o,$(1))
UNIT_BIN := $(patsubst tests/unit/%.c,$(BUILD)/unit/%,$(UNIT_SRC))
FUZZ_BIN := $(patsubst tests/fuzz/%.c,$(BUILD)/bin/%,$(FUZZ_SRC))
REPLAY   := $(patsubst tests/fuzz/%.c,$(BUILD)/replay/%,$(FUZZ_SRC))

# What the targets need from Debian, as file=package; `make deps` installs what is missing.
DEPS_BUILD := /usr/bin/cc=gcc /usr/include/stdio.h=libc6-dev /usr/bin/curl-config=libcurl4-openssl-dev \
	/usr/include/openssl/evp.h=libssl-dev /usr/include/json-c/json.h=libjson-c-dev /usr/include/yaml.h=libyaml-dev \
	/usr/include/zlib.h=zlib1g-dev /usr/include/zstd.h=libzstd-dev \
	/usr/include/xxhash.h=libxxhash-dev /usr/include/microhttpd.h=libmicrohttpd-dev \
	/usr/bin/pkg-config=pkgconf
DEPS_TEST := /usr/include/cmocka.h=libcmocka-dev /usr/bin/python3=python3 \
	/usr/bin/pytest-3=python3-pytest /usr/bin/protoc=protobuf-compiler /usr/bin/openssl=openssl \
	/usr/bin/systemd-analyze=systemd /usr/lib/python3/dist-packages/yaml/__init__.py=python3-yaml
DEPS_INTEROP := /usr/lib/python3.11/ensurepip/__init__.py=python3-venv
DEPS_DEMO := /usr/bin/python3=python3
DEPS_LINT := /usr/bin/clang-tidy=clang-tidy /usr/bin/cppcheck=cppcheck /usr/bin/clang-format=clang-format \
	/usr/bin/shellcheck=shellcheck
DEPS_FUZZ := /usr/bin/clang=clang /usr/lib/llvm-14/lib/clang/14.0.6/lib/linux=libclang-rt-14-dev
DEPS_VALGRIND := /usr/bin/valgrind=valgrind

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SECONDARY:

# All cores, unless the caller says how many (-j); a submake that is told twice complains.
JOBS := $(if $(findstring j,$(firstword -$(MAKEFLAGS))),,-j$(shell nproc))

# `make V=1` shows the commands themselves.
run = $(if $(V),,@printf '  %-5s %s\n' $(1) $(patsubst $(BUILD)/%,%,$@);) $(2)

.PHONY: help
help: ## print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{ printf "  %-12s %s\n", $$1, $$2 }' $(filter-out %.d,$(MAKEFILE_LIST))

.PHONY: all
all: deps-build ## build otlpull and its simulator
	@$(MAKE) --no-print-directory $(JOBS) programs

.PHONY: programs
programs: $(BUILD)/otlpull $(BUILD)/otlpull-sim
	@:

.PHONY: deps deps-build deps-demo deps-test deps-interop deps-lint deps-fuzz deps-valgrind
deps: ## install what building, testing and linting need, from Debian's packages
	@./tests/lint/deps.sh $(DEPS_BUILD) $(DEPS_TEST) $(DEPS_LINT) $(DEPS_FUZZ) $(DEPS_VALGRIND)
deps-build:
	@./tests/lint/deps.sh $(DEPS_BUILD)
deps-demo: deps-build
	@./tests/lint/deps.sh $(DEPS_DEMO)
deps-test: deps-build
	@./tests/lint/deps.sh $(DEPS_TEST)
deps-interop: deps-test
	@./tests/lint/deps.sh $(DEPS_INTEROP)
deps-lint: deps-test
	@./tests/lint/deps.sh $(DEPS_LINT)
deps-fuzz: deps-build
	@./tests/lint/deps.sh $(DEPS_FUZZ)
deps-valgrind: deps-test
	@./tests/lint/deps.sh $(DEPS_VALGRIND)

$(BUILD)/obj/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(call run,CC,$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c $< -o $@)

$(BUILD)/libotlpull.a: $(call obj,$(LIB_SRC))
	@rm -f $@
	$(call run,AR,$(AR) rcs $@ $^)

$(BUILD)/otlpull: $(call obj,$(CMD_SRC)) $(BUILD)/libotlpull.a
	$(call run,LINK,$(CC) $(CFLAGS) $(LDFLAGS) $^ $(LIBS) -o $@)

$(BUILD)/otlpull-sim: $(call obj,$(SIM_SRC)) $(BUILD)/libotlpull.a
	$(call run,LINK,$(CC) $(CFLAGS) $(LDFLAGS) $^ $(SIM_LIBS) $(LIBS) -o $@)

$(BUILD)/unit/%: $(BUILD)/obj/tests/unit/%.o $(BUILD)/libotlpull.a
	@mkdir -p $(@D)
	$(call run,LINK,$(CC) $(CFLAGS) $(LDFLAGS) $^ -lcmocka $(LIBS) -o $@)

# It stands between file.c and the system, to record what reaches the disk.
$(BUILD)/unit/state/power_loss_test: override LDFLAGS += $(foreach f,open openat mkdir write fsync \
	renameat ftruncate unlinkat close,-Wl,--wrap=$(f))

$(BUILD)/replay/%: $(BUILD)/obj/tests/fuzz/%.o $(BUILD)/obj/tests/fuzz/replay_main.o $(BUILD)/libotlpull.a
	@mkdir -p $(@D)
	$(call run,LINK,$(CC) $(CFLAGS) $(LDFLAGS) $^ $(LIBS) -o $@)

# What the simulator makes of protobuf, to compare with.
PROTO_JUDGE := $(call obj,$(addprefix cmd/otlpull-sim/,otlp_proto.c json_strict.c))
$(BUILD)/replay/proto_fuzz $(BUILD)/bin/proto_fuzz: $(PROTO_JUDGE)
$(BUILD)/replay/proto_fuzz $(BUILD)/bin/proto_fuzz: LIBS := $(BUILD)/libotlpull.a $(LIBS)

# Its own wire in http.c's place, and its own threads and clocks: tests/model/model.h says why.
MODEL_WRAP := $(foreach f,mutex_init mutex_destroy mutex_lock mutex_trylock mutex_unlock \
	condattr_init condattr_setclock condattr_destroy cond_init cond_destroy cond_wait \
	cond_timedwait cond_signal cond_broadcast create join,-Wl,--wrap=pthread_$(f)) \
	$(foreach f,init stop release,-Wl,--wrap=clock_child_$(f))

$(BUILD)/model: $(call obj,$(MODEL_SRC)) $(BUILD)/libotlpull.a
	$(call run,LINK,$(CC) $(CFLAGS) $(LDFLAGS) $(MODEL_WRAP) $^ $(LIBS) -o $@)

# Preloaded into otlpull by the fault tests; never with a sanitizer, as it stands before theirs.
$(BUILD)/shim.so: tests/shim/shim.c Makefile
	@mkdir -p $(@D)
	$(call run,LINK,$(CC) $(STANDARD) $(WARNINGS) $(WERROR) -O1 -g -fno-omit-frame-pointer -fPIC -shared $< -ldl -o $@)

-include $(shell find $(BUILD)/obj -name '*.d' 2>/dev/null)

.PHONY: demo
demo: all deps-demo ## show it working (PLATFORM=forge): simulator, run, delivered records, status
	@BUILD=$(BUILD) PYTHON=$(PYTHON) PLATFORM=$(PLATFORM) ./tests/demo.sh

.PHONY: test
test: deps-test ## build with sanitizers, run unit, corpus and end-to-end tests
	@$(MAKE) --no-print-directory $(JOBS) BUILD=$(BUILD)/sanitized CFLAGS="-O1 -g -fno-omit-frame-pointer \
	-fsanitize=address,undefined -fno-sanitize-recover=all" tests-built
	@BUILD=$(BUILD)/sanitized PYTHON=$(PYTHON) ./tests/run.sh

.PHONY: tests-built
tests-built: programs $(UNIT_BIN) $(REPLAY) $(BUILD)/model $(BUILD)/shim.so

.PHONY: model
model: deps-build ## play random worlds on a fake clock: SEEDS (1000), from seed FROM (1) on; PLATFORM (all)
	@$(MAKE) --no-print-directory $(JOBS) $(BUILD)/model
	@$(BUILD)/model --seeds $(or $(SEEDS),1000) --from $(or $(FROM),1) \
	$(if $(filter file,$(origin PLATFORM)),,--platform $(PLATFORM))

.PHONY: faults
faults: deps-test ## each call of a run fails in turn, a kill at each change of the state, and 500 more
	@$(MAKE) --no-print-directory $(JOBS) BUILD=$(BUILD)/sanitized CFLAGS="-O1 -g -fno-omit-frame-pointer \
	-fsanitize=address,undefined -fno-sanitize-recover=all" tests-built
	@BUILD=$(BUILD)/sanitized OTLPULL_EVERY=1 OTLPULL_KILLS=500 PYTHONDONTWRITEBYTECODE=1 \
		ASAN_OPTIONS=detect_leaks=1:exitcode=99 \
		UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1:exitcode=99 \
		$(PYTHON) -m pytest -q -rP -p no:cacheprovider tests/e2e/test_faults_every.py tests/e2e/test_kill.py

.PHONY: sanitize
sanitize: test deps-valgrind ## the tests under ASan and UBSan, and again under valgrind
	@$(MAKE) --no-print-directory $(JOBS) BUILD=$(BUILD)/valgrind CFLAGS="-O1 -g" tests-built
	@BUILD=$(BUILD)/valgrind PYTHON=$(PYTHON) VALGRIND=1 ./tests/run.sh

.PHONY: lint
lint: deps-lint ## clang-tidy, cppcheck, include directions, format, warnings as errors
	@BUILD=$(BUILD) ./tests/lint/lint.sh $(ALL_SRC)
	@$(MAKE) --no-print-directory $(JOBS) BUILD=$(BUILD)/werror WERROR=-Werror tests-built

.PHONY: check
check: lint test sanitize ## lint, test, sanitize: what a commit must pass

.PHONY: interop
interop: all deps-interop ## with real peers: a Collector, S3 servers, Lambda's emulator, the packages (needs Go, root)
	@BUILD=$(BUILD) ./tests/interop/run.sh

.PHONY: static lambda deb image packages
static lambda deb image packages: # what machines without a compiler take
include deploy/packages.mk

# The library as an archive here too: of what a target brings of its own, it takes nothing.
.PHONY: fuzz
fuzz: deps-fuzz ## run each fuzz target for FUZZ_SECONDS (60)
	@$(MAKE) --no-print-directory $(JOBS) BUILD=$(BUILD)/fuzz CC=$(CLANG) WARNINGS= CFLAGS="-O1 -g \
	-fno-omit-frame-pointer -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all" fuzz-built
	@for f in $(FUZZ_SRC); do \
		BUILD=$(BUILD) ./tests/fuzz/fuzz.sh "$$(basename "$$f" _fuzz.c)" $(FUZZ_SECONDS) || exit 1; \
	done

.PHONY: fuzz-built
fuzz-built: $(FUZZ_BIN)

$(BUILD)/bin/%_fuzz: $(BUILD)/obj/tests/fuzz/%_fuzz.o $(BUILD)/libotlpull.a
	@mkdir -p $(@D)
	$(call run,LINK,$(CC) $(CFLAGS) -fsanitize=fuzzer $(LDFLAGS) $^ $(LIBS) -o $@)

.PHONY: bench
bench: all deps-demo ## CPU and peak memory beside a program that moves the same bytes unread
	@$(MAKE) --no-print-directory $(JOBS) $(BUILD)/bench/floor $(BUILD)/bench/measure
	@BUILD=$(BUILD) PYTHON=$(PYTHON) ./tests/bench/bench.sh

.PHONY: bench-lambda
bench-lambda: all deps-demo ## `otlpull lambda` beside a function on Node, in AWS's emulator (needs Node)
	@BUILD=$(BUILD) PYTHON=$(PYTHON) ./tests/bench/lambda.sh

$(BUILD)/bench/%: $(BUILD)/obj/tests/bench/%.o
	@mkdir -p $(@D)
	$(call run,LINK,$(CC) $(CFLAGS) $(LDFLAGS) $^ $(LIBS) -o $@)

.PHONY: format
format: deps-lint ## lay out all C files by .clang-format
	@clang-format -i $$(git ls-files '*.c' '*.h')

.PHONY: install
install: all ## install program, man page and example to $(DESTDIR)$(PREFIX)
	install -D -m 755 $(BUILD)/otlpull $(DESTDIR)$(PREFIX)/bin/otlpull
	install -D -m 644 cmd/otlpull/otlpull.1 $(DESTDIR)$(PREFIX)/share/man/man1/otlpull.1
	install -D -m 644 deploy/otlpull.example.yaml \
		$(DESTDIR)$(PREFIX)/share/doc/otlpull/otlpull.example.yaml

.PHONY: uninstall
uninstall: ## remove what install put there
	rm -f $(DESTDIR)$(PREFIX)/bin/otlpull $(DESTDIR)$(PREFIX)/share/man/man1/otlpull.1 \
		$(DESTDIR)$(PREFIX)/share/doc/otlpull/otlpull.example.yaml
	-rmdir $(DESTDIR)$(PREFIX)/share/doc/otlpull

.PHONY: clean
clean: ## remove build/
	rm -rf $(BUILD)
