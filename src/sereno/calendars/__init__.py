"""Calendars of people, which stages share: public holidays, kinds of day."""
