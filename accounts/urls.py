"""Route the pages."""

from django.urls import path

from accounts.views import activity, checkup, deletion, email, home, password, profile, sessions, sign_in, sign_up

urlpatterns = [
    path("", home.home, name="home"),
    path("accounts/signup/", sign_up.sign_up, name="signup"),
    path("accounts/login/", sign_in.SignIn.as_view(), name="login"),
    path("accounts/logout/", sign_in.sign_out, name="logout"),
    path("accounts/sessions/", sessions.show, name="sessions"),
    path("accounts/sessions/end-others/", sessions.end_others, name="sessions_end_others"),
    path("accounts/sessions/end-all/", sessions.end_all, name="sessions_end_all"),
    path("accounts/sessions/<uuid:pk>/end/", sessions.end, name="session_end"),
    path("accounts/sessions/<uuid:pk>/name/", sessions.name, name="session_name"),
    path("accounts/security/", profile.security, name="security"),
    path(".well-known/change-password", password.change_password_url, name="change_password_url"),
    path("accounts/password/change/", password.PasswordChange.as_view(), name="password_change"),
    path("accounts/password/reset/", password.PasswordReset.as_view(), name="password_reset"),
    path(
        "accounts/password/reset/done/",
        password.PasswordResetDone.as_view(),
        name="password_reset_done",
    ),
    path(
        "accounts/password/reset/<uidb64>/<token>/",
        password.PasswordResetConfirm.as_view(),
        name="password_reset_confirm",
    ),
    path(
        "accounts/password/reset/complete/",
        password.PasswordResetComplete.as_view(),
        name="password_reset_complete",
    ),
    path("accounts/username/", profile.change_username, name="username_change"),
    path("accounts/email/", email.change, name="email_change"),
    path("accounts/email/verify/", email.verify, name="email_verify"),
    path("accounts/email/confirm/<uuid:key>/<token>/", email.confirm, name="email_confirm"),
    path("accounts/email/undo/<uuid:key>/<token>/", email.undo, name="email_undo"),
    path("accounts/profile/", profile.profile, name="profile"),
    path("accounts/activity/", activity.activity, name="activity"),
    path("accounts/checkup/", checkup.CheckUp.as_view(), name="checkup"),
    path("accounts/export/", activity.export, name="export"),
    path("accounts/delete/", deletion.delete, name="delete"),
    path("accounts/keep/", deletion.cancel, name="deletion_cancel"),
    path("accounts/language/", home.choose_language, name="language"),
]
