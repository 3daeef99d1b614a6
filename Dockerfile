# The operator and its volume agent: one image, two entries (dist/main.js and dist/agent/main.js).
ARG BUILD_IMAGE=docker.io/library/node:24-bookworm-slim
ARG RUN_IMAGE=gcr.io/distroless/nodejs24-debian12:nonroot

FROM ${BUILD_IMAGE} AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
# No package needs its install script here: the one that has one only brings a Node, and this image has its own.
RUN --mount=type=cache,target=/root/.npm npm ci --ignore-scripts
COPY tsconfig.json tsconfig.build.json ./
COPY src src
RUN npm run build
# All of the Kubernetes client that runs, and no more: V8 keeps the text and the classes of every module that is loaded in memory, and this one has 25 MB of them.
RUN cd node_modules/@kubernetes/client-node && npm pkg set sideEffects=false --json \
    && sed 's#@kubernetes/client-node#./dist/index.js#' /app/dist/kubernetes/client-node.js > entry.js \
    && /app/node_modules/.bin/esbuild entry.js --bundle --packages=external --format=esm --platform=node --minify-whitespace --log-level=warning --outfile=/slim/index.js

FROM ${BUILD_IMAGE} AS dependencies
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
# Type declarations and source maps are half of the packages' size, and nothing reads them at run time. AWS's client comes a second time
# for bundlers: Node takes what is for CommonJS (the condition "node" of its exports).
RUN --mount=type=cache,target=/root/.npm npm ci --ignore-scripts --omit=dev \
    && find node_modules -type f \( -name '*.d.ts' -o -name '*.d.mts' -o -name '*.d.cts' -o -name '*.map' \) -exec rm {} + \
    && rm -r node_modules/@kubernetes/client-node/dist node_modules/@aws-sdk/*/dist-es node_modules/@smithy/*/dist-es

FROM ${RUN_IMAGE}
WORKDIR /app
ENV NODE_ENV=production MALLOC_ARENA_MAX=1 MALLOC_TRIM_THRESHOLD_=131072
COPY --from=dependencies /app/node_modules node_modules
COPY --from=build /slim node_modules/@kubernetes/client-node/dist
COPY package.json ./
COPY --from=build /app/dist dist
USER 65532:65532
# What watching many clusters leaves behind is collected early, instead of growing the heap by it; one arena of malloc fragments less than one for each
# thread, and gives back what is free at its end (mallopt(3), M_TRIM_THRESHOLD).
ENTRYPOINT ["/nodejs/bin/node", "--max-semi-space-size=1", "--heap-growing-percent=12", "/app/dist/main.js"]
