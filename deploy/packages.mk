# What machines without a build take: one static program, a zip for AWS Lambda, a Debian package, a
# container image. All of it comes from Debian 12's packages and their sources. ARCH is x86_64 or arm64,
# by default this machine's; the Debian package is always for this machine's.
#
# The static program is glibc, linked statically, with libraries of our own build (libraries.sh). It
# runs on any Linux since 3.2, on Lambda, which has an older glibc than Debian, and in an image FROM
# scratch. Measured on 50 pages of 1000 records, and what was turned down: static/README.md.

HOST_ARCH := $(if $(filter aarch64 arm64,$(shell uname -m)),arm64,x86_64)
OTHER_ARCH := $(filter-out $(HOST_ARCH),x86_64 arm64)
ARCH ?= $(HOST_ARCH)
TRIPLET := $(if $(filter arm64,$(ARCH)),aarch64,x86_64)-linux-gnu
STATIC := $(BUILD)/static/$(ARCH)
LAMBDA := $(BUILD)/otlpull-lambda-$(ARCH).zip
IMAGE := $(BUILD)/otlpull-image-$(ARCH).tar
DEB := $(BUILD)/otlpull_$(VERSION)-1_$(if $(filter arm64,$(HOST_ARCH)),arm64,amd64).deb

# -static-pie after the Makefile's -pie, which it replaces. The linker warns of getaddrinfo and the
# like, which OpenSSL and c-ares can call, and we do not.
STATIC_FLAGS := CC=$(TRIPLET)-gcc AR=$(TRIPLET)-ar CFLAGS="-O2 -ffunction-sections" \
	CPPFLAGS="-isystem $(STATIC)/include -D_FORTIFY_SOURCE=2" \
	LDFLAGS="-L$(STATIC)/lib -Wl,--gc-sections -Wl,-s -Wl,--no-warnings" \
	LIBS="-static-pie -lcurl -lcares -lssl -lcrypto -ljson-c -lyaml -lz -lzstd -pthread"

CROSS := $(if $(filter $(ARCH),$(HOST_ARCH)),,$(subst _,-,$(TRIPLET)))
DEPS_STATIC := /usr/bin/cc=gcc /usr/include/stdio.h=libc6-dev /usr/bin/cmake=cmake \
	/usr/bin/dpkg-source=dpkg-dev /usr/include/xxhash.h=libxxhash-dev \
	$(if $(CROSS),/usr/bin/$(TRIPLET)-gcc=gcc-$(CROSS) \
	/usr/$(TRIPLET)/lib/libc.a=libc6-dev-$(if $(filter arm64,$(ARCH)),arm64,amd64)-cross)
DEPS_LAMBDA := /usr/bin/zip=zip
DEPS_DEB := /usr/share/build-essential/list=build-essential \
	/usr/bin/dh=debhelper /usr/bin/dpkg-buildpackage=dpkg-dev
DEPS_IMAGE := /usr/bin/buildah=buildah /etc/ssl/certs/ca-certificates.crt=ca-certificates
# What the tests of all these need.
DEPS_PACKAGES := $(DEPS_LAMBDA) $(DEPS_DEB) $(DEPS_IMAGE) /usr/bin/lintian=lintian \
	/usr/sbin/debootstrap=debootstrap /usr/bin/systemctl=systemd \
	/usr/bin/qemu-aarch64-static=qemu-user-static

.PHONY: deps-static deps-lambda deps-deb deps-image deps-packages
deps-static:
	@./tests/lint/deps.sh $(DEPS_STATIC)
deps-lambda: deps-static
	@./tests/lint/deps.sh $(DEPS_LAMBDA)
deps-deb: deps-build
	@./tests/lint/deps.sh $(DEPS_DEB)
deps-image: deps-static
	@./tests/lint/deps.sh $(DEPS_IMAGE)
deps-packages: deps-build deps-static
	@$(MAKE) --no-print-directory ARCH=$(OTHER_ARCH) deps-static
	@./tests/lint/deps.sh $(DEPS_PACKAGES)

.PHONY: static
static: deps-static ## build/static/ARCH/otlpull: without libraries, for any Linux; ARCH=arm64, x86_64
	@$(MAKE) --no-print-directory $(JOBS) static-built

.PHONY: lambda
lambda: deps-lambda ## build/otlpull-lambda-ARCH.zip: the same as bootstrap of AWS Lambda
	@$(MAKE) --no-print-directory $(JOBS) $(LAMBDA)

.PHONY: image
image: deps-image ## build/otlpull-image-ARCH.tar: the same as a container image (OCI), FROM scratch
	@$(MAKE) --no-print-directory $(JOBS) $(IMAGE)

.PHONY: deb
deb: deps-deb ## build/otlpull_VERSION-1_ARCH.deb: Debian package, with Debian's libraries and units
	@$(MAKE) --no-print-directory $(JOBS) $(DEB)

.PHONY: packages packages-built other-static-built
packages: deps-packages ## all of these, and the static program for the other ARCH
	@$(MAKE) --no-print-directory $(JOBS) packages-built
packages-built: other-static-built $(DEB) $(LAMBDA) $(IMAGE)
other-static-built:
	@$(MAKE) --no-print-directory ARCH=$(OTHER_ARCH) static-built

interop: packages

.PHONY: static-built
static-built: $(STATIC)/libraries
	@$(MAKE) --no-print-directory -s BUILD=$(STATIC) $(STATIC_FLAGS) $(STATIC)/otlpull

$(STATIC)/libraries: deploy/static/libraries.sh
	@./deploy/static/libraries.sh $(ARCH) $(BUILD)/static
	@touch $@

$(STATIC)/otlpull: static-built
	@: # what is made of it is made anew only where static-built has made it anew

$(LAMBDA): $(STATIC)/otlpull deploy/packages.mk
	$(call run,ZIP,rm -rf $@ $(STATIC)/lambda)
	@install -D -m 755 $(STATIC)/otlpull $(STATIC)/lambda/bootstrap
	@cp -r LICENSE $(STATIC)/licenses $(STATIC)/lambda/
	@find $(STATIC)/lambda -exec touch -d 2000-01-01T00:00Z {} + # the same program, the same zip
	@cd $(STATIC)/lambda && find * | LC_ALL=C sort | TZ=UTC zip -q -X -@ $(abspath $@)

$(IMAGE): $(STATIC)/otlpull $(wildcard deploy/image/*)
	$(call run,IMAGE,./deploy/image/build.sh $(STATIC) $(ARCH) $(VERSION) $@)

$(DEB): $(wildcard deploy/debian/* deploy/debian/*/* deploy/systemd/*) $(LIB_SRC) $(CMD_SRC) \
		$(wildcard src/*.h src/*/*.h otlp/*.h cmd/otlpull/*) Makefile CHANGELOG.md
	$(call run,DEB,./deploy/debian/build.sh $(VERSION) $(BUILD)/deb $@)
