// With Microsoft.AspNetCore.Authentication.JwtBearer, in ASP.NET Core 8 or later. Untested.
using Microsoft.AspNetCore.Authentication.JwtBearer;
using Microsoft.IdentityModel.Tokens;

builder.Services.AddAuthentication(JwtBearerDefaults.AuthenticationScheme).AddJwtBearer(options =>
{
    options.Authority = "https://example.org";
    options.AutomaticRefreshInterval = TimeSpan.FromMinutes(5);
    options.MapInboundClaims = false; // or "sub" gets another name
    options.TokenValidationParameters = new TokenValidationParameters
    {
        ValidAlgorithms = ["ES256"],
        ValidTypes = ["at+jwt"],
        ValidIssuer = "https://example.org",
        ValidAudience = "https://example.org",
        ClockSkew = TimeSpan.Zero,
    };
});
