from tests.support.soundcard import sound_card, sound_card_daemon

__all__ = ["sound_card", "sound_card_daemon"]
