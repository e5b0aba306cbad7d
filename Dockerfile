# One image for web, worker, beat and migrations. Built in stages, so that it holds neither Node.js nor a compiler.
FROM node:24-bookworm-slim AS packages
WORKDIR /build
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev --ignore-scripts

FROM python:3.11-slim-bookworm AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN apt-get update \
    && apt-get install -y --no-install-recommends gettext \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /app
RUN python -m venv /venv
ENV PATH=/venv/bin:$PATH
COPY requirements/base.txt requirements/base.txt
RUN pip install --require-hashes -r requirements/base.txt
COPY . .
COPY --from=packages /build/node_modules node_modules
RUN python scripts/vendor_assets.py && rm -rf node_modules
# No setting of a real deployment is known here; collectstatic and compilemessages need none.
RUN export SECRET_KEY=only-for-this-step DATABASE_URL=postgresql://nobody@nowhere/none STATIC_ROOT=/app/collected \
    && find locale -name django.po -execdir msgfmt --output-file=django.mo django.po ';' \
    && python manage.py collectstatic --noinput --verbosity 0 \
    && python -m whitenoise.compress --quiet /app/collected \
    && python -m compileall -q /app

FROM python:3.11-slim-bookworm
RUN useradd --system --uid 10001 --home-dir /data --create-home app
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 STATIC_ROOT=/app/collected DATA_DIR=/data
COPY --from=build /venv /venv
COPY --from=build /app /app
WORKDIR /app
USER app
VOLUME /data
EXPOSE 8000
# SIGHUP replaces the workers one by one, while the port stays open.
CMD ["python", "-m", "ops_platform.web", "--host", "0.0.0.0", "--port", "8000", "--workers", "2"]
