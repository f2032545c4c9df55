# The package in an image of a ROS 2 distribution:
#
#     docker build -t obai_ros .
#     docker run --rm -it --network host obai_ros
#     docker run --rm -it --network host --device /dev/video0 obai_ros \
#       ros2 launch obai_ros camera.launch.py source:=/dev/video0
#
# ROS_DISTRO is kilted or jazzy.  TORCH_INDEX is where PyTorch's builds for the CPU are (PyTorch's
# "Get started" page names it); without it pip takes the build with CUDA.  This file has not been
# built yet: there was no Docker where it was written.
ARG ROS_DISTRO=kilted
FROM ros:${ROS_DISTRO}
ARG TORCH_INDEX=

# What package.xml names, before the sources, so that this layer is kept when they change
WORKDIR /opt/dependencies/obai_ros
COPY package.xml .
RUN apt-get update \
 && apt-get install --yes --no-install-recommends python3-dev python3-venv \
 && rosdep update --rosdistro "$ROS_DISTRO" \
 && rosdep install --from-paths . --ignore-src --default-yes --dependency-types build \
      --dependency-types buildtool --dependency-types build_export --dependency-types exec \
 && rm -rf /var/lib/apt/lists/*

RUN useradd --create-home --shell /bin/bash obai \
 && install -d -o obai -g obai /opt/obai/src/obai_ros
USER obai
WORKDIR /opt/obai

COPY --chown=obai requirements.txt .
RUN python3 -m venv --system-site-packages venv \
 && venv/bin/pip install --no-cache-dir ${TORCH_INDEX:+--extra-index-url "$TORCH_INDEX"} \
      -r requirements.txt

COPY --chown=obai . src/obai_ros
RUN . "/opt/ros/$ROS_DISTRO/setup.sh" \
 && colcon build --packages-select obai_ros --cmake-args -DBUILD_TESTING=OFF \
      -DPython3_EXECUTABLE=/opt/obai/venv/bin/python \
 && rm -rf build log

ENV PATH=/opt/obai/venv/bin:$PATH
ENTRYPOINT ["/bin/bash", "-c", ". /opt/obai/install/setup.bash && exec \"$@\"", "--"]
CMD ["ros2", "launch", "obai_ros", "closed_loop.launch.py"]
