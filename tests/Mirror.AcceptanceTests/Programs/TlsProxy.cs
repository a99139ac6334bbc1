using System.Net;
using Mirror.Testing;

namespace Mirror.AcceptanceTests.Programs;

/// <summary>nginx or Apache in front of a mirror, as the one that clients speak HTTPS with: a process of its own, for the name of this machine.</summary>
internal sealed class TlsProxy : IAsyncDisposable
{
    private const string Name = "localhost";

    private readonly TemporaryDirectory _folder = new();
    private readonly TlsFiles _tls = new(Name);
    private readonly int _port = FreePort.Find();
    private ChildProcess? _process;

    private TlsProxy()
    {
    }

    /// <summary><c>localhost:port</c>.</summary>
    public string Host => $"{Name}:{_port}";

    public Uri Url => new($"https://{Host}");

    /// <summary>A folder with the authority's certificate, as clients are given it.</summary>
    public string Authorities => _tls.Authorities;

    /// <summary>nginx with the configuration that the project gives to people, as it is but for names and places.</summary>
    public static Task<TlsProxy> StartDeployedAsync(MirrorProcess mirror) => StartNginxAsync(proxy =>
    {
        var text = File.ReadAllText(ProjectFile.Locate("deploy", "nginx.conf"));
        foreach (var (printed, real) in new[]
        {
            ("listen 443 ssl", $"listen 127.0.0.1:{proxy._port} ssl"), ("server_name mirror.example.com", $"server_name {Name}"),
            ("server 127.0.0.1:5000;", $"server {mirror.Host};"), ("/etc/nginx/certs/domain.crt", proxy._tls.Certificate),
            ("/etc/nginx/certs/domain.key", proxy._tls.Key),
        })
        {
            Assert.Contains(printed, text, StringComparison.Ordinal);
            text = text.Replace(printed, real, StringComparison.Ordinal);
        }

        return text;
    });

    /// <summary>nginx as people have it before Docker's registry.</summary>
    /// <param name="mirror">Takes the registry's place.</param>
    /// <param name="path">What is passed on: <c>/v2/</c>, or a path that is taken away.</param>
    /// <param name="more">Other lines.</param>
    public static Task<TlsProxy> StartClassicAsync(MirrorProcess mirror, string path = "/v2/", string more = "") => StartNginxAsync(proxy => $$"""
        server {
          listen 127.0.0.1:{{proxy._port}} ssl;
          server_name {{Name}};
          ssl_certificate {{proxy._tls.Certificate}};
          ssl_certificate_key {{proxy._tls.Key}};
          client_max_body_size 0;
          chunked_transfer_encoding on;
          location {{path}} {
            if ($http_user_agent ~ "^(docker\/1\.(3|4|5(?!\.[0-9]-dev))|Go ).*$" ) { return 404; }
            proxy_pass {{mirror.Url.GetLeftPart(UriPartial.Authority)}}{{(path == "/v2/" ? "" : "/")}};
            proxy_set_header Host $http_host;
            proxy_set_header X-Real-IP $remote_addr;
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
            proxy_set_header X-Forwarded-Proto $scheme;
            proxy_read_timeout 900;
            {{more}}
          }
        }
        """);

    /// <summary>Apache as people have it before Docker's registry.</summary>
    public static Task<TlsProxy> StartApacheAsync(MirrorProcess mirror) => StartedAsync(proxy =>
    {
        string[] modules = ["mpm_event", "authz_core", "headers", "proxy", "proxy_http", "ssl", "socache_shmcb"];
        File.WriteAllText(proxy._folder.Combine("apache.conf"), $$"""
            {{string.Join('\n', modules.Select(module => $"LoadModule {module}_module /usr/lib/apache2/modules/mod_{module}.so"))}}
            ServerName {{Name}}
            Listen 127.0.0.1:{{proxy._port}}
            PidFile {{proxy._folder.Combine("apache.pid")}}
            DefaultRuntimeDir {{proxy._folder.Path}}
            ErrorLog /dev/stderr
            {{(Environment.IsPrivilegedProcess ? "User www-data\nGroup www-data" : "")}}
            <VirtualHost 127.0.0.1:{{proxy._port}}>
              SSLEngine on
              SSLCertificateFile {{proxy._tls.Certificate}}
              SSLCertificateKeyFile {{proxy._tls.Key}}
              RequestHeader set X-Forwarded-Proto "https"
              ProxyRequests off
              ProxyPreserveHost on
              ProxyPass /v2 {{mirror.Url}}v2
              ProxyPassReverse /v2 {{mirror.Url}}v2
            </VirtualHost>
            """);
        return ChildProcess.Start("apache2", ["-D", "FOREGROUND", "-d", proxy._folder.Path, "-f", proxy._folder.Combine("apache.conf")]);
    });

    /// <summary>A client that trusts the authority.</summary>
    /// <param name="from">Its address: any of 127.0.0.0/8 is this machine's. Null for the usual one.</param>
    public SocketsHttpHandler Handler(IPAddress? from = null) => _tls.Handler(IPAddress.Loopback, from);

    public async ValueTask DisposeAsync()
    {
        if (_process is not null)
        {
            _process.Terminate();
            await _process.ExitedAsync();
            await _process.DisposeAsync();
        }

        _tls.Dispose();
        _folder.Dispose();
    }

    private static Task<TlsProxy> StartNginxAsync(Func<TlsProxy, string> write) => StartedAsync(proxy =>
    {
        var folder = proxy._folder;
        File.WriteAllText(folder.Combine("site.conf"), write(proxy));
        File.WriteAllText(folder.Combine("nginx.conf"), $$"""
            daemon off;
            {{(Environment.IsPrivilegedProcess ? "user root;" : "")}}
            pid {{folder.Combine("nginx.pid")}};
            error_log stderr warn;
            events { }
            http {
              access_log off;
              client_body_temp_path {{folder.Combine("body")}};
              proxy_temp_path {{folder.Combine("proxy")}};
              fastcgi_temp_path {{folder.Combine("fastcgi")}};
              uwsgi_temp_path {{folder.Combine("uwsgi")}};
              scgi_temp_path {{folder.Combine("scgi")}};
              include {{folder.Combine("site.conf")}};
            }
            """);
        return ChildProcess.Start("nginx", ["-p", folder.Path, "-e", "stderr", "-c", folder.Combine("nginx.conf")]);
    });

    private static async Task<TlsProxy> StartedAsync(Func<TlsProxy, ChildProcess> start)
    {
        var proxy = new TlsProxy();
        try
        {
            proxy._process = start(proxy);
            using var http = new HttpClient(proxy.Handler());
            await Poll.UntilAsync(
                async () =>
                {
                    try
                    {
                        using var answer = await http.GetAsync(new Uri(proxy.Url, "/"));
                        return true;
                    }
                    catch (HttpRequestException)
                    {
                        return false;
                    }
                },
                TimeSpan.FromSeconds(30),
                () => $"the proxy does not answer: {string.Join('\n', proxy._process.Lines)}");
            return proxy;
        }
        catch
        {
            await proxy.DisposeAsync();
            throw;
        }
    }
}
