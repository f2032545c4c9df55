# SPDX-License-Identifier: Apache-2.0
# From a fresh clone to a running closed loop: `make demo`.  `make help` lists the rest.

PYTHON ?= python3
VENV := .venv
ARGS ?=

# With a ROS 2 distribution sourced the package is built by colcon against it; otherwise by pip
# against the ROS 2 wheels that requirements-ros.txt names.
ROS := $(if $(AMENT_PREFIX_PATH),$(or $(ROS_DISTRO),wheels),wheels)
REQUIREMENTS := requirements.txt requirements-test.txt

PIP := $(VENV)/bin/python -m pip --disable-pip-version-check -q
ENVIRON := PATH="$(CURDIR)/$(VENV)/bin:$$PATH" PYTHONPATH="$(CURDIR)$${PYTHONPATH:+:$$PYTHONPATH}"
ifeq ($(ROS),wheels)
REQUIREMENTS += requirements-ros.txt
RUN := AMENT_PREFIX_PATH="$(CURDIR)/$(VENV)" $(ENVIRON)
NODES := $(VENV)/lib/obai_ros
else
VENV_OPTIONS := --system-site-packages
RUN := . install/local_setup.sh && $(ENVIRON)
NODES := install/obai_ros/lib/obai_ros
endif

# Empty files that remember what was done, and when
MADE := $(VENV)/.made-for-$(ROS)
INSTALLED := $(VENV)/.requirements-installed
BUILT := $(VENV)/.built
SOURCES := CMakeLists.txt package.xml pyproject.toml setup.py \
  $(shell find cmake config launch models msg obai_ros srv -type f ! -name '*.pyc' 2>/dev/null)

.PHONY: help setup play demo loop test clean
.DELETE_ON_ERROR:

help:
	@echo 'make setup   virtual environment in $(VENV), pinned requirements, build'
	@echo 'make play    set-up if needed, then the closed loop as a page in the browser, where the mouse'
	@echo '             sets goals, until Ctrl-C; ARGS="--objects 2"'
	@echo 'make demo    set-up if needed, then the closed loop; results in out/demo'
	@echo 'make loop    set-up if needed, then the closed loop in one process, until Ctrl-C;'
	@echo '             meanwhile `obai view` of $(VENV) shows it; ARGS="-p sim_node:rate:=5.0"'
	@echo 'make test    set-up if needed, then all tests; ARGS="-k image" chooses some'
	@echo 'make clean   remove everything that make setup made'
	@echo 'PYTHON=python3.12 chooses the Python; ROS 2: $(ROS)'

setup: $(BUILT)
	@echo 'setup: ready ($(VENV), ROS 2: $(ROS))'

play: $(BUILT)
	@$(RUN) obai play $(ARGS)

demo: $(BUILT)
	@$(RUN) obai demo $(ARGS)

loop: $(BUILT)
	@$(RUN) $(NODES)/closed_loop --ros-args -p planner_node:goal:=all \
	  -p sim_node:episode_steps:=40 $(ARGS)

test: $(BUILT)
	@$(RUN) python -m pytest -n 2 --dist loadgroup $(ARGS)

clean:
	rm -rf $(VENV) build install log obai_ros.egg-info

$(MADE):
	@command -v $(PYTHON) > /dev/null || { \
	  echo 'There is no $(PYTHON) on PATH: on Debian and Ubuntu `sudo apt install python3 python3-venv python3-dev` installs it.' >&2; exit 1; }
	@$(PYTHON) cmake/toolchain.py
	@echo 'setup: making $(VENV) for ROS 2 from: $(ROS)'
	@rm -rf $(VENV) build install log
	@$(PYTHON) -m venv $(VENV_OPTIONS) $(VENV)
	@touch $@

$(INSTALLED): $(MADE) $(REQUIREMENTS)
	@echo 'setup: installing $(REQUIREMENTS) (minutes the first time)'
	@$(PIP) install --no-compile $(REQUIREMENTS:%=-r %)
	@# On all processors, where pip would use one; a few files are for other Pythons, and fail.
	@$(VENV)/bin/python -m compileall -qq -j 0 $(VENV)/lib || true
	@touch $@

ifeq ($(ROS),wheels)
$(BUILT): $(INSTALLED) $(SOURCES)
	@echo 'setup: building obai_ros and its messages (a minute the first time)'
	@$(PIP) install --no-build-isolation --no-deps .
	@touch $@
else
$(BUILT): $(INSTALLED) $(SOURCES)
	@command -v colcon > /dev/null || { \
	  echo 'ROS 2 $(ROS) is sourced but there is no colcon on PATH: `sudo apt install python3-colcon-common-extensions` installs it.' >&2; exit 1; }
	@echo 'setup: building obai_ros and its messages with colcon for ROS 2 $(ROS) (a minute the first time)'
	@colcon build --symlink-install --packages-select obai_ros \
	  --cmake-args -DBUILD_TESTING=OFF -DPython3_EXECUTABLE="$(CURDIR)/$(VENV)/bin/python" $(CMAKE_ARGS)
	@touch $@
endif
