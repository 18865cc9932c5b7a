"""The alert files of the first system's guide, for the door that writes them too."""

from sereno.notify.alert_files import Alert, AlertFiles, make_alert

__all__ = ["Alert", "AlertFiles", "make_alert"]
