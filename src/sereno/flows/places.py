"""Where things lie in the folder of a workspace."""

__all__ = ["BACKUPS_FOLDER", "MODELS_FOLDER", "ORGANIZATIONS_FOLDER", "PROFILES_FOLDER", "STORE_FILE"]

STORE_FILE = "sereno.db"
MODELS_FOLDER = "models"
PROFILES_FOLDER = "profiles"
ORGANIZATIONS_FOLDER = "organizations"
BACKUPS_FOLDER = "backups"
