# Builds the wheel, including the browser pages. Nothing is installed whose hash is not known.
# The base image is named by its tag, so that each build has the newest mends of its system. A release builds with the tag's digest
# instead (python:3.13-slim@sha256:…, in both places), which its notes name; see SECURITY.md.
FROM python:3.13-slim AS build
WORKDIR /source
COPY pyproject.toml constraints-hashed.txt README.md LICENSE hatch_build.py ./
# This pip first: an older one takes hashes from no file of constraints.
RUN awk '/^[^ ]/ { own = /^pip==/ } own' constraints-hashed.txt > /tmp/pip.txt \
    && pip install --no-cache-dir --require-hashes -r /tmp/pip.txt \
    && pip install --no-cache-dir --require-hashes -c constraints-hashed.txt --group build
COPY web web
COPY kvs_graphql kvs_graphql
RUN pip wheel --no-cache-dir --no-deps --no-build-isolation --wheel-dir /wheels . \
    && for wheel in /wheels/*.whl; do \
        sha256sum "$wheel" > /tmp/sum && read -r sum name < /tmp/sum || exit 1; \
        echo "kvs-graphql[schemas] @ file://$name --hash=sha256:$sum"; \
    done > /wheels/requirements.txt

FROM python:3.13-slim
RUN useradd --system --uid 10001 --user-group --create-home kvs && mkdir /data && chown kvs:kvs /data
COPY constraints-hashed.txt /tmp/
RUN --mount=type=bind,from=build,source=/wheels,target=/wheels \
    awk '/^[^ ]/ { own = /^pip==/ } own' /tmp/constraints-hashed.txt > /tmp/pip.txt \
    && pip install --no-cache-dir --require-hashes -r /tmp/pip.txt \
    && pip install --no-cache-dir --require-hashes -c /tmp/constraints-hashed.txt -r /wheels/requirements.txt \
    && rm /tmp/constraints-hashed.txt /tmp/pip.txt
# A number, so that Kubernetes can tell that it is not root (runAsNonRoot).
USER 10001
# Others can reach every address, so the service does not start until it is told who may ask: KVS_TOKENS, KVS_JWT_ISSUER
# with KVS_JWT_AUDIENCE, or, where a network or a proxy decides that, KVS_ALLOW_ANONYMOUS=true. The image cannot know.
ENV KVS_HOST=0.0.0.0 KVS_DATABASE=/data/kvs.db
# The service writes nowhere else: the rest may be read-only.
WORKDIR /data
VOLUME /data
EXPOSE 8000
# At the port and by the scheme of the environment; the certificate is for other names than this address.
HEALTHCHECK --interval=5s --timeout=5s --start-period=60s CMD ["python", "-c", "import os, ssl, urllib.request as u; c = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT); c.check_hostname = False; c.verify_mode = ssl.CERT_NONE; s = 's' * ('KVS_TLS_CERTIFICATE_FILE' in os.environ); u.urlopen('http%s://127.0.0.1:%s/healthz' % (s, os.environ.get('KVS_PORT', 8000)), context=c)"]
ENTRYPOINT ["kvs-graphql"]
CMD ["serve"]
