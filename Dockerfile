# syntax=docker/dockerfile:1
# Both bases by tag. To pin them by digest, give NAME:TAG@sha256:… for the build arguments:
# docs/kubernetes.md#the-image says how to look a digest up.
ARG BUILD_IMAGE=docker.io/library/node:24-trixie-slim
ARG RUNTIME_IMAGE=gcr.io/distroless/nodejs24-debian13:nonroot

# What is built is JavaScript: once, on the builder's own platform, for every platform.
FROM --platform=$BUILDPLATFORM ${BUILD_IMAGE} AS build
WORKDIR /build
COPY package.json package-lock.json ./
# esbuild's install script only replaces a start-up shim, and the CA's and SDKs' packages have none.
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY LICENSE tsconfig.json ./
COPY scripts ./scripts
COPY providers ./providers
COPY src ./src
RUN node scripts/image.mjs /app

FROM ${RUNTIME_IMAGE}
LABEL org.opencontainers.image.title="dns01" \
      org.opencontainers.image.description="ACME DNS-01: certificates, and the cert-manager webhook" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /app /app
ENV NODE_ENV=production
# By number, so that Kubernetes can see that it is not root.
USER 65532:65532
WORKDIR /tmp
# Tencent Cloud's SDK uses url.parse(), about which Node would put a line that is no JSON into the log.
ENTRYPOINT ["/nodejs/bin/node", "--disable-warning=DEP0169", "/app/dist/cli/main.js"]
CMD ["--help"]
