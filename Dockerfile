# The program with the browser app inside, on Debian. Build:  docker build -t qism .
# Run one server:   docker run --network host -v /etc/qism:/etc/qism:ro -v qism:/var/lib/qism qism
# Voice and video are UDP to addresses that the program tells browsers: `--network host` is the way that needs no further thought. With a
# network of the engine's own, publish the HTTP port and the UDP ports of `[media]` one to one, and set media.public_addresses.

FROM rust:1.95-slim-bookworm AS build
RUN apt-get update \
    && apt-get install -y --no-install-recommends make gcc libc6-dev python3 python3-venv ca-certificates \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /qism
COPY . .
# Installs Node into .venv, builds the app, then the program.
RUN make release

FROM debian:bookworm-slim
# Whom `rediss://` trusts, unless cluster.redis_ca says otherwise.
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --no-create-home --home-dir /var/lib/qism --shell /usr/sbin/nologin --uid 7880 qism \
    && install -d -o qism -g qism -m 700 /var/lib/qism
COPY --from=build /qism/target/release/qism /usr/local/bin/qism
USER qism
WORKDIR /var/lib/qism
VOLUME /var/lib/qism
EXPOSE 7880/tcp 7882/udp
# Whether it lives: one whose database is away goes on teaching, and is not to be replaced.
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s CMD ["qism", "health", "--config", "/etc/qism/qism.toml"]
# Lessons are told to come back elsewhere before the process ends: docker stop --time 40.
STOPSIGNAL SIGTERM
ENTRYPOINT ["qism"]
CMD ["serve", "--config", "/etc/qism/qism.toml"]
