# syntax=docker/dockerfile:1
# One image for every process; the command decides which one runs.

FROM node:22-slim AS front-end
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts --omit=dev
COPY scripts/build_map.mjs scripts/
RUN node scripts/build_map.mjs /app/map

FROM python:3.12-slim AS packages
RUN python -m venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH
COPY requirements.txt .
RUN pip install --no-cache-dir --requirement requirements.txt

FROM python:3.12-slim
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1
RUN useradd --system --uid 10001 --home-dir /app --shell /usr/sbin/nologin outrider
WORKDIR /app
COPY --from=packages /opt/venv /opt/venv
COPY manage.py ./
COPY config config
COPY tenants tenants
COPY fleet fleet
COPY telemetry telemetry
COPY alerts alerts
COPY templates templates
COPY static static
COPY scripts/__init__.py scripts/healthcheck.py scripts/
# Static files are collected under hashed names here, so that every replica serves the same.
# Settings want addresses and secrets; these are for this one command and reach no layer.
RUN --mount=type=bind,from=front-end,source=/app/node_modules,target=/app/node_modules \
    --mount=type=bind,from=front-end,source=/app/map,target=/app/.outrider/static/map \
    SECRET_KEY=building VIN_PSEUDONYM_KEY=building \
    FIELD_ENCRYPTION_KEYS=building=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= \
    DATABASE_URL=postgres://nobody@localhost/nothing REDIS_URL=redis://localhost \
    python manage.py collectstatic --no-input -v 0
USER outrider
EXPOSE 8000 8001
CMD ["daphne", "-b", "0.0.0.0", "-p", "8000", "config.asgi:application"]
