// With Spring Security 6.5 or 7; add http.oauth2ResourceServer(server -> server.jwt(Customizer.withDefaults())). Don't use
// JwtValidators.createAtJwtValidator(): it wants a client_id. Untested.
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.security.oauth2.jose.jws.SignatureAlgorithm;
import org.springframework.security.oauth2.jwt.*;

@Configuration
class Neighbour {
    @Bean
    JwtDecoder jwtDecoder() {
        NimbusJwtDecoder decoder = NimbusJwtDecoder
            .withJwkSetUri("https://example.org/.well-known/jwks.json")
            .jwsAlgorithm(SignatureAlgorithm.ES256)
            .validateType(false) // in 6.5 Nimbus would take "JWT" alone; the type is checked below
            .build();
        decoder.setJwtValidator(JwtValidators.createDefaultWithValidators( // which looks at the times as well
            new JwtTypeValidator("at+jwt"),
            new JwtIssuerValidator("https://example.org"),
            new JwtAudienceValidator("https://example.org")));
        return decoder;
    }
}
