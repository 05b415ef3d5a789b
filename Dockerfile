# Debian 12, by the same two steps as on a machine: scripts/setup.sh and scripts/build.sh.
#   docker build -t segments .
#   docker run --init --read-only --tmpfs /tmp -v segments:/var/lib/segments -p 127.0.0.1:8000:8000 segments
#   docker exec NAME segments token --user alice      (its log has no token)
# A worker alone: docker run --init --no-healthcheck … segments worker --beat
ARG DEBIAN=debian:12-slim

FROM ${DEBIAN} AS build
WORKDIR /src
COPY scripts/setup.sh scripts/
RUN ["scripts/setup.sh"]
COPY CMakeLists.txt CMakePresets.json ./
COPY scripts/build.sh scripts/ccache.sh scripts/
COPY bench bench
COPY src src
RUN ["scripts/build.sh", "release"]
RUN ["install", "-D", "--strip", "build/release/segments", "/out/segments"]

FROM ${DEBIAN}
COPY scripts/setup.sh /tmp/setup.sh
RUN ["/tmp/setup.sh", "--run"]
RUN ["useradd", "--system", "--uid", "10001", "--user-group", "--home-dir", "/var/lib/segments", "--shell", "/usr/sbin/nologin", "segments"]
RUN ["install", "-d", "-m", "0700", "-o", "segments", "-g", "segments", "/var/lib/segments"]
COPY --from=build /out/segments /usr/bin/segments
COPY LICENSE /usr/share/doc/segments/LICENSE

# 127.0.0.1 would be the container's own.
ENV HOST=0.0.0.0 PORT=8000 SEGMENTS_DATA_DIR=/var/lib/segments
USER segments
WORKDIR /var/lib/segments
# After its owner is set: a volume takes that from here. All that is written goes there, so the root may be read-only.
VOLUME ["/var/lib/segments"]
EXPOSE 8000
# A stop lets requests, streams and tasks end within 40 s: docker stop --time 45.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s --retries=3 \
  CMD ["curl", "-fsS", "--max-time", "4", "-o", "/dev/null", "http://127.0.0.1:8000/health"]
ENTRYPOINT ["/usr/bin/segments"]
CMD ["serve"]
