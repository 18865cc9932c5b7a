"""Where things lie in the folder of a workspace."""

__all__ = ["BACKUPS_FOLDER", "MODELS_FOLDER", "PROFILES_FOLDER", "STORE_FILE"]

STORE_FILE = "sereno.db"
MODELS_FOLDER = "models"
PROFILES_FOLDER = "profiles"
BACKUPS_FOLDER = "backups"
