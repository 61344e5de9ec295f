# Both executables, in an image that runs an agent unless another command is said. Not root; steps with `user:` need
# an image of your own that is.
#
#   docker build -t eventor .
#   docker run --rm eventor coordinator --version

FROM swift:6.1-bookworm AS build
RUN apt-get update \
 && apt-get install -y --no-install-recommends libsqlite3-dev libpq-dev libmariadb-dev libsodium-dev libssh2-1-dev pkg-config \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY Package.swift ./
COPY Sources Sources
COPY Tests Tests
RUN swift build -c release --static-swift-stdlib --product coordinator \
 && swift build -c release --static-swift-stdlib --product eventor-agent \
 && install -D -t /out -s .build/release/coordinator .build/release/eventor-agent

FROM debian:bookworm-slim
RUN apt-get update \
 && apt-get install -y --no-install-recommends \
      libsqlite3-0 libpq5 libmariadb3 libsodium23 libssh2-1 libstdc++6 ca-certificates tini \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --system --uid 10001 --create-home --home-dir /var/lib/eventor --shell /usr/sbin/nologin eventor
COPY --from=build /out/ /usr/local/bin/
ENV EVENTOR_WORK_DIR=/var/lib/eventor/work EVENTOR_LOG_DIR=/var/lib/eventor/logs
USER eventor
WORKDIR /var/lib/eventor
VOLUME /var/lib/eventor
# Steps may leave orphans, and a container has nobody else to reap them.
ENTRYPOINT ["tini", "--"]
CMD ["eventor-agent"]
