# syntax=docker/dockerfile:1
# Heroku says by PORT where to listen, and runs images as a user of its own without a disk that stays:
# docker build --file deploy/heroku.Dockerfile --build-arg IMAGE=sereno --tag sereno-heroku deploy
ARG IMAGE=sereno
# hadolint ignore=DL3006
FROM ${IMAGE}
ENTRYPOINT []
CMD ["sh", "-c", "cp -R /workspace /tmp/workspace && exec sereno --workspace /tmp/workspace serve --host 0.0.0.0 --port \"$PORT\""]
