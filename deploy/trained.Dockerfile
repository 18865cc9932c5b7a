# syntax=docker/dockerfile:1
# An image that carries a workspace that has learnt; built from the folder of that workspace:
# docker build --file deploy/trained.Dockerfile --build-arg IMAGE=sereno --tag plant:1 plant
ARG IMAGE=sereno
# hadolint ignore=DL3006
FROM ${IMAGE}
COPY --chown=10001:10001 . /workspace/
# Ids of versions with commas between, as `sereno models list` shows them; empty: what judged last.
ARG MODEL_VERSION=
ENV MODEL_VERSION=${MODEL_VERSION}
