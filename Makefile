# warroom: build, test, lint. `make help` lists the targets.
#
# Objects go to $(BUILD), never beside the sources. One archive per layer of core/, linked only with the
# layers below it: a test of a layer that reached upwards would not link.

BUILD   ?= build
PREFIX  ?= /usr/local
DESTDIR ?=
ifeq ($(origin CC),default)
CC := gcc
endif
VERSION := 0.1.0

ifeq ($(MAKELEVEL),0)
ifeq ($(filter -j%,$(MAKEFLAGS)),)
MAKEFLAGS += -j$(shell nproc 2>/dev/null || echo 2)
endif
endif

LAYERS  := base model watch ledger decide act
PKGS    := libcurl jansson libsodium yaml-0.1 libmicrohttpd libcrypto
TUI_PKGS := ncursesw

WARN    := -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
           -Wformat=2 -Wvla -Wundef -Wcast-qual -Wno-unknown-warning-option
ifeq ($(CI),true)
WARN    += -Werror
endif
OPT     ?= -O2 -g
HARDEN  ?= -fstack-protector-strong -D_FORTIFY_SOURCE=2 -fPIE
SAN     ?=
Q       := $(if $(V),,@)
say      = $(if $(V),:,printf '  %-4s %s\n' $(1) '$(2)')
PKG_CFLAGS = $(shell pkg-config --cflags $(PKGS) $(TUI_PKGS) 2>/dev/null)
PKG_LIBS   = $(shell pkg-config --libs $(PKGS) 2>/dev/null)
TUI_LIBS   = $(shell pkg-config --libs $(TUI_PKGS) 2>/dev/null)
CPPFLAGS_ALL = -Iinclude -Icore -Itui -D_GNU_SOURCE -DWR_VERSION='"$(VERSION)"' $(PKG_CFLAGS) $(CPPFLAGS)
CFLAGS_ALL   = -std=c17 $(OPT) $(HARDEN) $(WARN) $(SAN) $(CFLAGS)
LDFLAGS_ALL  = -pthread -pie -Wl,-z,relro,-z,now $(SAN) $(LDFLAGS)

src      = $(sort $(wildcard $(1)/*.c))
obj      = $(patsubst %.c,$(BUILD)/%.o,$(1))
# Layer N's archives, itself first, then everything below it.
upto     = $(call rev,$(call take,$(1),$(LAYERS)))
take     = $(if $(2),$(firstword $(2)) $(if $(filter $(1),$(firstword $(2))),,$(call take,$(1),$(wordlist 2,99,$(2)))))
rev      = $(if $(1),$(call rev,$(wordlist 2,99,$(1))) $(firstword $(1)))
libs     = $(patsubst %,$(BUILD)/libwr_%.a,$(call upto,$(1)))

PROGRAMS := $(BUILD)/warroomd $(BUILD)/warroom-sim $(BUILD)/warroom
ENGINE_MAIN := core/engine/main.c
SIM_MAIN    := core/sim/main.c
TUI_MAIN    := tui/main.c
ENGINE_SRC := $(filter-out $(ENGINE_MAIN),$(call src,core/engine))
SIM_SRC    := $(filter-out $(SIM_MAIN),$(call src,core/sim))
TUI_SRC    := $(filter-out $(TUI_MAIN),$(call src,tui) $(call src,tui/cli) $(call src,tui/screen) $(call src,tui/widget))

UNIT_TESTS := $(foreach l,$(LAYERS) engine sim tui,$(patsubst tests/unit/%.c,$(BUILD)/unit/%,$(sort $(wildcard tests/unit/$(l)/test_*.c))))

BENCHES := $(patsubst tests/bench/%.c,$(BUILD)/bench/%,$(wildcard tests/bench/*.c))
FUZZERS := $(patsubst tests/fuzz/%.c,$(BUILD)/fuzz/%,$(wildcard tests/fuzz/fuzz_*.c))
FUZZ_SECONDS ?= 5

all: $(PROGRAMS) ## build warroomd, warroom and warroom-sim

define layer_rule
$$(BUILD)/libwr_$(1).a: $$(call obj,$$(call src,core/$(1)))
	@rm -f $$@
	@$$(AR) rcs $$@ $$^
$$(BUILD)/unit/$(1)/%: $$(BUILD)/tests/unit/$(1)/%.o $$(call libs,$(1))
	@mkdir -p $$(@D)
	@$$(call say,LINK,$$@)
	$$(Q)$$(CC) $$(LDFLAGS_ALL) -o $$@ $$^ $$(PKG_LIBS) -lcmocka -lm
endef
$(foreach l,$(LAYERS),$(eval $(call layer_rule,$(l))))

$(BUILD)/libwr_engine.a: $(call obj,$(ENGINE_SRC))
$(BUILD)/libwr_sim.a: $(call obj,$(SIM_SRC))
$(BUILD)/libwr_tui.a: $(call obj,$(TUI_SRC))
$(BUILD)/libwr_engine.a $(BUILD)/libwr_sim.a $(BUILD)/libwr_tui.a:
	@rm -f $@
	@$(AR) rcs $@ $^

CORE_LIBS := $(call libs,act)
$(BUILD)/unit/engine/%: $(BUILD)/tests/unit/engine/%.o $(BUILD)/libwr_engine.a $(CORE_LIBS)
	@mkdir -p $(@D)
	@$(call say,LINK,$@)
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(PKG_LIBS) -lcmocka -lm
$(BUILD)/unit/sim/%: $(BUILD)/tests/unit/sim/%.o $(BUILD)/libwr_sim.a $(BUILD)/libwr_base.a
	@mkdir -p $(@D)
	@$(call say,LINK,$@)
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(PKG_LIBS) -lcmocka -lm
$(BUILD)/unit/tui/%: $(BUILD)/tests/unit/tui/%.o $(BUILD)/libwr_tui.a $(CORE_LIBS)
	@mkdir -p $(@D)
	@$(call say,LINK,$@)
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(PKG_LIBS) $(TUI_LIBS) -lcmocka -lm

# Tools of the tests: C linked with all of core.
$(BUILD)/bench/%: $(BUILD)/tests/bench/%.o $(CORE_LIBS)
	@mkdir -p $(@D)
	@$(call say,LINK,$@)
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(PKG_LIBS) -lm
$(BUILD)/tools/%: $(BUILD)/tests/%.o $(CORE_LIBS)
	@mkdir -p $(@D)
	@$(call say,LINK,$@)
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(PKG_LIBS) -lm
$(BUILD)/fuzz/%: $(BUILD)/tests/fuzz/%.o $(CORE_LIBS)
	@mkdir -p $(@D)
	@$(call say,LINK,$@)
	$(Q)$(CC) $(LDFLAGS_ALL) -fsanitize=fuzzer -o $@ $^ $(PKG_LIBS) -lm
fuzzers: $(FUZZERS)

$(BUILD)/warroomd: $(BUILD)/core/engine/main.o $(BUILD)/libwr_engine.a $(CORE_LIBS)
	@$(call say,LINK,$@)
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(PKG_LIBS) -lm
$(BUILD)/warroom-sim: $(BUILD)/core/sim/main.o $(BUILD)/libwr_sim.a $(BUILD)/libwr_base.a
	@$(call say,LINK,$@)
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(PKG_LIBS) -lm
$(BUILD)/warroom: $(BUILD)/tui/main.o $(BUILD)/libwr_tui.a $(CORE_LIBS)
	@$(call say,LINK,$@)
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(PKG_LIBS) $(TUI_LIBS) -lm

# The flags are part of what an object depends on: switching sanitizers or compilers rebuilds.
FLAGS_ID := $(CC) $(CFLAGS_ALL) $(CPPFLAGS_ALL)
$(BUILD)/.flags: FORCE
	@mkdir -p $(BUILD)
	@printf '%s\n' '$(subst ','\'',$(FLAGS_ID))' | cmp -s - $@ || printf '%s\n' '$(subst ','\'',$(FLAGS_ID))' > $@
FORCE:
$(BUILD)/%.o: %.c $(BUILD)/.flags
	@mkdir -p $(@D)
	@$(call say,CC,$<)
	$(Q)$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) -MMD -MP -c -o $@ $<

.SECONDARY:
.DELETE_ON_ERROR:
-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)

unit: $(UNIT_TESTS) ## build and run the unit tests
	@tests/run-unit.sh $(BUILD) $(UNIT_TESTS)

unit-%: ## unit tests of one layer, e.g. unit-base
	@$(MAKE) --no-print-directory $(or $(filter $(BUILD)/unit/$*/%,$(UNIT_TESTS)),$(BUILD)/libwr_$*.a)
	@tests/run-unit.sh $(BUILD) $(filter $(BUILD)/unit/$*/%,$(UNIT_TESTS))

# ---- everything beyond building ----
setup: ## install the Debian packages that are missing (silent when none is)
	@tests/setup.sh $(if $(filter lint sanitize screenshots,$(MAKECMDGOALS))$(filter true,$(CI)),all,)

# `make setup X` installs before anything is compiled, whatever -j says.
ifneq ($(filter setup,$(MAKECMDGOALS)),)
.NOTPARALLEL:
endif

test: ## all tests: unit, ledger, scenarios, screen, demo, lab
	@$(MAKE) --no-print-directory all
	@$(MAKE) --no-print-directory unit
	@tests/run-all.sh $(BUILD)

lab: ## the failover and the failback on real PostgreSQL and HAProxy
	@$(MAKE) --no-print-directory all
	@tests/lab/lab.sh $(BUILD)

demo: ## the screen on a simulated platform, with an outage coming
	@$(MAKE) --no-print-directory all
	@$(BUILD)/warroom demo

bench: ## figures, as ratios
	@$(MAKE) --no-print-directory all $(BENCHES)
	@tests/bench/bench.sh $(BUILD)

screenshots: ## renew screenshots/ from a real run
	@$(MAKE) --no-print-directory all
	@tests/tui/screenshots.sh $(BUILD)

lint: ## formatting, clang-tidy, cppcheck, banned functions, layers
	@tests/lint/lint.sh

sanitize: ## the tests under ASan and UBSan, then the threaded ones under TSan
	$(MAKE) BUILD=build-asan HARDEN= OPT="-O1 -g" SAN="-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer" all unit
	$(MAKE) BUILD=build-tsan HARDEN= OPT="-O1 -g" SAN="-fsanitize=thread" all unit

fuzz: ## run every fuzzer for FUZZ_SECONDS (needs clang)
	@$(MAKE) --no-print-directory CC=clang BUILD=build-fuzz HARDEN= OPT="-O1 -g" \
	    SAN="-fsanitize=fuzzer-no-link,address,undefined" fuzzers
	@tests/fuzz/fuzz.sh build-fuzz $(FUZZ_SECONDS) $(patsubst $(BUILD)/%,build-fuzz/%,$(FUZZERS))

install: all ## install below $(DESTDIR)$(PREFIX)
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/share/warroom/themes $(DESTDIR)$(PREFIX)/share/doc/warroom \
	    $(DESTDIR)$(PREFIX)/share/man/man1 $(DESTDIR)$(PREFIX)/share/man/man5 $(DESTDIR)$(PREFIX)/share/man/man8
	install -m 755 $(PROGRAMS) $(DESTDIR)$(PREFIX)/bin
	install -m 644 $(wildcard docs/man/*.1) $(DESTDIR)$(PREFIX)/share/man/man1
	install -m 644 $(wildcard docs/man/*.5) $(DESTDIR)$(PREFIX)/share/man/man5
	install -m 644 $(wildcard docs/man/*.8) $(DESTDIR)$(PREFIX)/share/man/man8
	install -m 644 $(wildcard themes/*.theme) $(DESTDIR)$(PREFIX)/share/warroom/themes
	cp -R docs/examples $(DESTDIR)$(PREFIX)/share/warroom/

clean: ## remove what was built
	rm -rf build build-*

help: ## this list
	@sed -n 's/^\([a-z%-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 14

.PHONY: all unit test lab demo bench screenshots lint sanitize fuzz fuzzers setup install clean help FORCE
