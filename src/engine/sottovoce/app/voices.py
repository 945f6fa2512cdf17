"""The wearer's enrolled voice: where it is kept, and the verifier that a session listens with."""

from __future__ import annotations

from sottovoce.app.opening import open_wearer_embedder
from sottovoce.app.settings import Config, SpeakerSettings
from sottovoce.speech.wearer.profile import ProfileStore
from sottovoce.speech.wearer.verifier import VerifierSettings, WearerVerifier


def open_profiles(config: Config) -> ProfileStore:
    """The enrolled voices."""
    return ProfileStore(config.speaker.folder)


def has_voice(config: Config) -> bool:
    """Whether a session is to tell the wearer's voice: one is enrolled, or named and so ought to be."""
    speaker = config.speaker
    named = speaker.profile != SpeakerSettings.model_fields["profile"].default
    return speaker.verify and (named or speaker.profile in open_profiles(config))


def open_verifier(config: Config) -> WearerVerifier | None:
    """The verifier of the voice that the settings name, loaded; None where none is to be told.

    Raises
    ------
    ProfileError
        The profile is not there, though it is named, or it is damaged, or made with another model.
    BackendError
        The embedder cannot be loaded, or its extra is not installed.
    """
    if not has_voice(config):
        return None
    speaker = config.speaker
    profile = open_profiles(config).load(speaker.profile)
    embedder = open_wearer_embedder(config)
    try:
        embedder.warm()
        return WearerVerifier(profile, embedder, VerifierSettings(speaker.certainty, speaker.adapt, speaker.split))
    except BaseException:  # Ctrl-C while it loads, too: nobody else closes it
        embedder.close()
        raise
