# Builds the wheel, including the browser pages.
FROM python:3.13-slim AS build
WORKDIR /source
COPY pyproject.toml README.md LICENSE hatch_build.py ./
COPY web web
COPY kvs_graphql kvs_graphql
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /wheels .

FROM python:3.13-slim
RUN useradd --system --uid 10001 --create-home kvs && mkdir /data && chown kvs /data
COPY constraints.txt /tmp/
RUN --mount=type=bind,from=build,source=/wheels,target=/wheels \
    pip install --no-cache-dir -c /tmp/constraints.txt "$(echo /wheels/*.whl)[schemas]"
USER kvs
# Others can reach every address, so the service does not start until it is told who may ask: KVS_TOKENS, KVS_JWT_ISSUER
# with KVS_JWT_AUDIENCE, or, where a network or a proxy decides that, KVS_ALLOW_ANONYMOUS=true. The image cannot know.
ENV KVS_HOST=0.0.0.0 KVS_DATABASE=/data/kvs.db
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=5s --timeout=5s --start-period=60s CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/healthz')"]
ENTRYPOINT ["kvs-graphql"]
CMD ["serve"]
