"""`python -m tests.languages`: update every catalogue from the source and compile it (docs/howto/languages.md)."""

import os

import django


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    django.setup()
    from tests.languages import catalogue, source

    for folder, said in source.texts().items():
        for language in catalogue.LANGUAGES:
            path = catalogue.path(folder, language)
            path.parent.mkdir(parents=True, exist_ok=True)
            found = catalogue.load(folder, language)
            catalogue.renew(found, said)
            found.save(str(path))
            found.save_as_mofile(str(path.with_suffix(".mo")))
            missing = [entry for entry in found if not entry.translated()]
            print(f"{path}: {len(found)} texts, {len(missing)} of them without a translation.")


if __name__ == "__main__":
    main()
